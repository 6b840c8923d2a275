//! The `.cnn` texts. Those in `blocks/` have no models; others use them.

macro_rules! sources {
    ($($name:ident $file:literal;)*) => {
        $(#[doc = concat!("`", $file, "`.")] pub const $name: &str = include_str!(concat!("../", $file));)*

        /// Every text, with its file's name.
        pub const ALL: &[(&str, &str)] = &[$(($file, $name)),*];
    };
}

sources! {
    ALEXNET "alexnet.cnn";
    BATCH_NORM_CONVNET "batch_norm_convnet.cnn";
    BLOCKS_CONV "blocks/conv.cnn";
    BLOCKS_RESIDUAL "blocks/residual.cnn";
    DENSENET "densenet.cnn";
    EFFICIENTNET_LITE0 "efficientnet_lite0.cnn";
    GOOGLENET "googlenet.cnn";
    GROUP_NORM_NET "group_norm_net.cnn";
    LENET "lenet.cnn";
    MNIST_CONVNET "mnist_convnet.cnn";
    NIN "nin.cnn";
    RESNET "resnet.cnn";
    RESNET_FLAT "resnet_flat.cnn";
    SQUEEZENET "squeezenet.cnn";
    UNET "unet.cnn";
    VGG "vgg.cnn";
    TORCHVISION_ALEXNET "torchvision/alexnet.cnn";
    TORCHVISION_DENSENET "torchvision/densenet.cnn";
    TORCHVISION_GOOGLENET "torchvision/googlenet.cnn";
    TORCHVISION_MOBILENET_V2 "torchvision/mobilenet_v2.cnn";
    TORCHVISION_RESNET "torchvision/resnet.cnn";
    TORCHVISION_VGG "torchvision/vgg.cnn";
}
