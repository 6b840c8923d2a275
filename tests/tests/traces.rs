//! The interpreter and the generated code make the same calls on the same builder trait.

#![allow(clippy::unwrap_used)]

use cnn::TraceBuilder;
use cnn_dsl::{Settings, Sources};
use std::path::Path;

/// The calls of the interpreter for the first model of a text.
fn interpreted(text: &str) -> String {
    let compilation = cnn_dsl::compile(&Sources::new("test.cnn", text), &Settings::default());
    assert!(!compilation.has_errors(), "{:?}", compilation.diagnostics);
    let mut trace = TraceBuilder::new();
    compilation.models[0].replay(&mut trace).unwrap();
    trace.text().to_owned()
}

/// Compiles a model through the macro and through the interpreter, and compares the calls.
macro_rules! same_calls {
    ($test:ident, $model:ident, { $($body:tt)* }) => {
        mod $test {
            cnn::cnn! { model $model { $($body)* } }

            #[test]
            fn makes_the_same_calls() {
                let mut trace = cnn::TraceBuilder::new();
                $model::build(&mut trace).unwrap();
                let text = concat!("model ", stringify!($model), " { ", stringify!($($body)*), " }");
                assert_eq!(trace.text(), super::interpreted(text));
            }
        }
    };
}

/// The calls of the interpreter for a model of a shipped file.
fn interpreted_file(file: &str, model: &str) -> String {
    let text = |file: &Path| cnn_models::sources::ALL.iter().find(|(name, _)| Path::new(name) == file).unwrap().1;
    let mut sources = Sources::new(file, text(Path::new(file)));
    while let [used, ..] = sources.missing().as_slice() {
        sources.add(used, text(&Path::new(file).with_file_name(used)).into());
    }
    let compilation = cnn_dsl::compile(&sources, &Settings::default());
    let mut trace = TraceBuilder::new();
    compilation.models.iter().find(|network| network.name == model).unwrap().replay(&mut trace).unwrap();
    trace.text().to_owned()
}

macro_rules! shipped {
    ($($file:literal: $module:path, $model:ident;)*) => {
        #[test]
        fn every_shipped_model_makes_the_same_calls() {
            $({
                let mut trace = TraceBuilder::new();
                use $module as models;
                models::$model::build(&mut trace).unwrap();
                assert_eq!(trace.text(), interpreted_file($file, stringify!($model)), $file);
            })*
        }
    };
}

shipped! {
    "alexnet.cnn": cnn_models, AlexNet;
    "batch_norm_convnet.cnn": cnn_models, BatchNormConvNet;
    "densenet.cnn": cnn_models, DenseNet;
    "efficientnet_lite0.cnn": cnn_models, EfficientNetLite0;
    "googlenet.cnn": cnn_models, GoogLeNet;
    "group_norm_net.cnn": cnn_models, GroupNormNet;
    "lenet.cnn": cnn_models, LeNet;
    "mnist_convnet.cnn": cnn_models, MnistConvNet;
    "nin.cnn": cnn_models, Nin;
    "resnet.cnn": cnn_models, ResNet18;
    "resnet_flat.cnn": cnn_models, ResNet34Flat;
    "squeezenet.cnn": cnn_models, SqueezeNet;
    "unet.cnn": cnn_models, UNet;
    "vgg.cnn": cnn_models, Vgg11;
    "torchvision/alexnet.cnn": cnn_models::torchvision, AlexNet;
    "torchvision/densenet.cnn": cnn_models::torchvision, DenseNet121;
    "torchvision/googlenet.cnn": cnn_models::torchvision, GoogLeNet;
    "torchvision/mobilenet_v2.cnn": cnn_models::torchvision, MobileNetV2;
    "torchvision/resnet.cnn": cnn_models::torchvision, ResNet18;
    "torchvision/resnet.cnn": cnn_models::torchvision, ResNet34;
    "torchvision/resnet.cnn": cnn_models::torchvision, ResNet50;
    "torchvision/vgg.cnn": cnn_models::torchvision, Vgg11;
    "torchvision/vgg.cnn": cnn_models::torchvision, Vgg16;
    "torchvision/vgg.cnn": cnn_models::torchvision, Vgg16Bn;
}

mod from_file {
    cnn::cnn!("../models/lenet.cnn");
}

#[test]
fn a_file_named_in_the_macro_makes_the_same_calls() {
    let mut trace = TraceBuilder::new();
    from_file::LeNet::build(&mut trace).unwrap();
    assert_eq!(trace.text(), interpreted(cnn_models::sources::LENET));
}

same_calls!(every_option, EveryOption, {
    input image: [4, 33, 17]
    stem: conv(8, kernel = (5, 3), stride = (2, 1), padding = (2, 1), groups = 2, bias = false) -> relu
    wide: conv(6, 3, padding = (1, 2, 0, 3), dilation = 2) -> tanh
    max_pool((2, 3), stride = (2, 1), padding = (1, 1), ceil_mode = true)
    avg_pool(2, padding = 1, count_include_pad = false, divisor_override = 3)
    dropout(0.25)
    softmax(dim = -1)
    flatten(end_dim = 2)
    flatten
    head: dense(7, bias = false)
    sigmoid
    output probabilities
});

same_calls!(an_output_that_goes_on, Classifier, {
    input features: [6]
    dense(3)
    output logits
    softmax
    output probabilities
});

same_calls!(awkward_names, Fn, {
    input net: [2, 8, 8]
    x: conv(3, 3) -> relu
    type: conv(2, 1) -> global_avg_pool -> flatten
    output match
});

same_calls!(words_and_sizes, WordsAndSizes, {
    input image: [8, 12, 10]
    pad((1, 2, 0, 3), mode = reflect) -> pad(1, value = 0.5) -> crop((1, 2))
    conv_transpose(6, (3, 2), stride = 2, padding = 1, output_padding = (1, 0), groups = 2)
    upsample(2) -> upsample((1.5, 1), mode = bilinear) -> upsample(size = (9, 12), mode = bilinear, align_corners = true)
    channel_shuffle(3) -> slice(1, 5)
    adaptive_max_pool((6, 8)) -> fractional_max_pool(2, output_size = (4, 5), seed = 3) -> adaptive_avg_pool(2)
    reshape((2, -1, 4)) -> global_max_pool
    output features
});

same_calls!(one_axis, Sequence, {
    input sound: [2, 64]
    conv(8, 5, stride = 2, padding = (2, 1), groups = 2) -> relu
    max_pool(2) -> avg_pool(3, stride = 1, padding = 1, count_include_pad = false)
    conv(4, 3, padding = 1, padding_mode = circular) -> pad((1, 2), mode = replicate) -> crop(1)
    conv_transpose(4, 3, stride = 2) -> upsample(1.5, mode = linear) -> adaptive_max_pool(9) -> global_avg_pool
    output features
});

same_calls!(three_axes, Volume, {
    input video: [2, 6, 16, 16]
    conv(4, (3, 5, 5), padding = (1, 2, 2), stride = (1, 2, 2)) -> relu
    max_pool(2) -> avg_pool((1, 2, 2), divisor_override = 2)
    conv_transpose(4, 3, output_padding = (0, 1, 0), stride = (1, 2, 1)) -> pad((1, 0, 0, 1, 2, 0)) -> crop((1, 0, 0))
    upsample(2, mode = trilinear) -> fractional_max_pool(2, output_ratio = 0.7) -> adaptive_avg_pool((none, 3, 3)) -> global_max_pool
    output features
});

same_calls!(with_its_training, Trained, {
    input image: [1, 12, 12]
    conv(4, 3, init = kaiming_normal(mode = fan_out)) -> relu
    flatten -> dense(3)
    output logits
    train {
        data: mnist("data/mnist")
        transforms: random_crop(12, padding = 2) -> horizontal_flip
        loss: cross_entropy(label_smoothing = 0.1) + 0.5 * mse(output = logits)
        optimizer: sgd(momentum = 0.9)
        rate: 5e-4
        epochs: 5
    }
});
