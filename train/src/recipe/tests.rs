use super::*;

#[test]
fn settings_are_read_written_and_read_again() {
    let mut recipe = Recipe::default();
    for (name, text) in [
        ("loss", "cross_entropy(label_smoothing = 0.1) + 0.3 * cross_entropy(output = aux)"),
        ("optimizer", "sgd(momentum = 0.9, nesterov = true)"),
        ("rate", "0.1"),
        ("schedule", "warmup(5) -> cosine(total = 30)"),
        ("schedule_per", "step"),
        ("steps", "100"),
        ("batch", "32"),
        ("accumulate", "4"),
        ("drop_last", "true"),
        ("shuffle", "false"),
        ("weight_decay", "0.0005"),
        ("clip", "norm(max = 2)"),
        ("init", "kaiming_normal(mode = fan_out)"),
        ("init.head", "constant(value = 0.5)"),
        ("seed", "7"),
        ("threads", "2"),
        ("workers", "0"),
        ("validation", "0.1"),
        ("transforms", "random_crop(28, padding = 2) -> normalize(0.5, 0.25)"),
        ("evaluation_transforms", "normalize(0.5, 0.25)"),
        ("best", "accuracy"),
        ("early_stopping", "3"),
        ("freeze", "conv1, layer1.0"),
        ("fresh", "fc"),
        ("checkpoint_every", "50"),
        ("log_every", "1"),
    ] {
        let before = recipe.clone();
        recipe.set(name, text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_ne!(before, recipe, "{name}");
    }
    let json = serde_json::to_string(&recipe).unwrap();
    assert!(json.contains(r#""clip":"norm(max = 2.0)""#) && json.contains(r#""length":{"steps":100}"#), "{json}");
    assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe);
    assert_eq!(serde_json::from_str::<Recipe>("{}").unwrap(), Recipe::default());
}

#[test]
fn what_is_not_allowed_says_what_is() {
    for (name, text, message) in [
        ("rate", "0", "the learning rate must be a number above 0, not 0"),
        ("rate", "-0.1", "must be a number above 0, not -0.1"),
        ("rate", "fast", "`rate` is `fast`; it is a number"),
        ("batch", "0", "`batch` is 0; it is at least 1"),
        ("epochs", "0", "`epochs` is 0; it is at least 1"),
        ("steps", "1.5", "`steps` is `1.5`; it is a whole number"),
        ("threads", "0", "`threads` is 0"),
        ("validation", "1", "`validation` is 1; it is the share of the examples"),
        ("weight_decay", "-1", "must be a number from 0"),
        ("best", "speed", "`best` is `speed`; it is `loss` or `accuracy`"),
        ("optimiser", "adam", "there is no setting `optimiser`; did you mean `optimizer`?"),
        ("x", "1", "there is no setting `x`; there are loss, optimizer"),
        ("optimizer", "adum", "did you mean `adam`?"),
        ("transforms", "flip", "transforms, character 1: there is no transform `flip`"),
        ("init.fc", "he", "there is no initialiser `he`"),
    ] {
        let error = Recipe::default().set(name, text).unwrap_err().to_string();
        assert!(error.contains(message), "{name} = {text}: {error}");
    }
    assert!(serde_json::from_str::<Recipe>(r#"{"batchsize": 3}"#).is_err());
}

#[test]
fn the_longest_name_decides_how_a_layer_starts() {
    let mut recipe = Recipe::default();
    for (name, text) in [("init.layer1", "xavier_uniform"), ("init.layer1.0", "constant(value = 1)")] {
        recipe.set(name, text).unwrap();
    }
    for (parameter, init) in [
        ("layer1.0.conv.weight", "constant(value = 1.0)"),
        ("layer1.1.conv.weight", "xavier_uniform"),
        ("layer10.conv.weight", "pytorch"),
    ] {
        assert_eq!(recipe.initialiser(parameter).to_string(), init, "{parameter}");
    }
}
