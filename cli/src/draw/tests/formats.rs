//! The three formats.

use super::super::kind::Kind;
use super::super::{Drawing, dot, mermaid, svg};
use super::{TEXTS, drawing, network, shipped};

const SMALL: &str = "
    block unit(channels: int, stride: int = 1) {
        add {
            | conv1: conv(channels, 3, stride = stride, padding = 1) -> batch_norm -> relu
              conv(channels, 3, padding = 1)
            | if stride != 1 { shortcut: conv(channels, 1, stride = stride) }
        }
        relu
    }
    model Small {
        input image: [3, 32, 32]
        stem: conv(8, 3, padding = 1) -> relu
        unit(16, stride = 2)
        repeat 2 { unit(16) }
        concat { | conv(4, 1) | max_pool(3, stride = 1, padding = 1) -> conv(4, 3, padding = 1) }
        global_avg_pool -> flatten -> dropout
        head: dense(10)
        output logits
    }";

#[test]
fn a_small_network_in_all_formats() {
    let drawing = drawing(SMALL);
    insta::assert_snapshot!("svg", svg(&drawing));
    insta::assert_snapshot!("dot", dot(&drawing));
    insta::assert_snapshot!("mermaid", mermaid(&drawing));
    let folded = Drawing::new(&network(SMALL), Some(1)).unwrap();
    insta::assert_snapshot!("mermaid_depth_1", mermaid(&folded));
}

#[test]
fn shared_weights_and_training_are_marked() {
    let drawing = drawing(TEXTS.iter().find(|text| text.contains("model Shared")).unwrap());
    insta::assert_snapshot!("shared_dot", dot(&drawing));
    let text = svg(&drawing);
    assert_eq!(text.matches("shared with u<").count(), 1, "{text}");
    assert_eq!(text.matches("shared with mid<").count(), 1, "{text}");
    assert!(text.contains("stroke-dasharray"), "{text}");
}

#[test]
fn every_svg_is_well_formed_and_needs_nothing_from_outside() {
    let texts = TEXTS.iter().map(|text| network(text));
    for network in shipped().into_iter().map(|(_, network)| network).chain(texts) {
        let text = svg(&Drawing::new(&network, None).unwrap());
        assert_eq!(text, svg(&Drawing::new(&network, None).unwrap()));
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        assert!(root.has_tag_name(("http://www.w3.org/2000/svg", "svg")));
        let width: f64 = root.attribute("width").unwrap().parse().unwrap();
        let height: f64 = root.attribute("height").unwrap().parse().unwrap();
        assert!(width < 2000.0 && height < 2500.0, "{}: {width}×{height}", network.name);
        for element in document.descendants().filter(|node| node.is_element()) {
            for attribute in element.attributes() {
                assert!(!attribute.name().contains("href") && !attribute.value().contains("url("));
            }
        }
    }
}

#[test]
fn names_are_escaped() {
    let mut network = network("model Odd { input x: [1, 8, 8] a: conv(2, 3) -> b: relu output y }");
    let odd = "<a href=\"x\">&'\\|]end\n\u{1}#;`";
    network.name = odd.into();
    network.inputs[0].name = odd.into();
    network.outputs[0].name = odd.into();
    network.layers[0].name = odd.into();
    let drawing = Drawing::new(&network, None).unwrap();
    let text = svg(&drawing);
    let document = roxmltree::Document::parse(&text).unwrap();
    let texts: Vec<&str> =
        document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    let shown = odd.replace(['\n', '\u{1}'], "\u{fffd}");
    assert_eq!(texts.iter().filter(|text| **text == shown).count(), 5, "{text}");
    insta::assert_snapshot!("odd_dot", dot(&drawing));
    insta::assert_snapshot!("odd_mermaid", mermaid(&drawing));
}

#[test]
fn every_op_has_a_kind() {
    let other = |name: &&str| Kind::of_name(name) == Kind::Other;
    let names: Vec<&str> = cnn::ops::OPS.iter().map(|op| op.name).filter(other).collect();
    assert!(names.iter().all(|name| *name == "extern"), "{names:?}");
}
