//! Weights from safetensors: whole and broken files, types, differences to the network, sharing.

// A test may panic.
#![allow(clippy::unwrap_used)]

use cnn_ir::Builder;
use cnn_ir::ops::{Conv2dSpec, DenseSpec, FlattenSpec};
use cnn_runtime::{CompileOptions, Error, LuminalBuilder, Session, Tensor, Weights};
use std::collections::BTreeSet;
use std::io::Write;

/// A safetensors file from a header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn two() -> Vec<u8> {
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1,1],"data_offsets":[8,12]}}"#;
    file(header, &f32s(&[1.0, 2.0, 3.0]))
}

/// The message for bytes that are no weights.
fn refuse(bytes: Vec<u8>) -> String {
    let error = Weights::from_bytes(bytes).unwrap_err();
    assert!(matches!(error, Error::BadWeights { .. }));
    error.to_string()
}

#[test]
fn reads_by_name_from_bytes_and_files() {
    let path = tempfile::NamedTempFile::new().unwrap();
    path.as_file().write_all(&two()).unwrap();
    for weights in [Weights::from_bytes(two()).unwrap(), Weights::open(path.path()).unwrap()] {
        assert_eq!(weights.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(weights.get("a").unwrap().data(), [1.0, 2.0]);
        assert_eq!((weights.get("b").unwrap().shape(), weights.shape("b")), (&[1, 1][..], Some(&[1, 1][..])));
    }
}

#[test]
fn aligned_data_is_not_copied_and_misaligned_data_is_right() {
    for shift in 0..4 {
        // Spaces behind the header are allowed, and move the data.
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}}}{}"#, " ".repeat(shift));
        let bytes = file(&header, &f32s(&[1.0, 2.0]));
        let range = bytes.as_ptr_range();
        let weights = Weights::from_bytes(bytes).unwrap();
        let data = weights.get("a").unwrap().data();
        assert_eq!(data, [1.0, 2.0]);
        let place = data.as_ptr().cast::<u8>();
        let in_place = range.contains(&place);
        assert_eq!(in_place, (range.start as usize + 8 + header.len()).is_multiple_of(4));
    }
}

#[test]
fn tensors_get_other_names_and_go_into_a_file() {
    let names = [("x".to_owned(), "b".to_owned()), ("y".into(), "a".into())].into();
    let renamed = Weights::from_bytes(two()).unwrap().renamed(&names).unwrap();
    assert_eq!(renamed.names().collect::<Vec<_>>(), ["x", "y"]);
    let written = Weights::from_bytes(renamed.to_safetensors().unwrap()).unwrap();
    assert_eq!((written.get("x").unwrap().data(), written.get("y").unwrap().data()), (&[3.0][..], &[1.0, 2.0][..]));
    assert_eq!(written.to_safetensors().unwrap(), renamed.to_safetensors().unwrap());
    let error = renamed.renamed(&[("z".to_owned(), "w".to_owned())].into()).unwrap_err().to_string();
    assert!(error.contains("missing: `w`"), "{error}");
}

#[test]
fn a_pytorch_file_gets_the_command_that_converts_it() {
    for start in [&b"PK\x03\x04"[..], b"\x80\x02\x8a\x0a"] {
        let text = refuse([start, &[0; 100]].concat());
        assert!(text.contains("`cnn import FILE -o weights.safetensors`"), "{text}");
    }
}

#[test]
fn counters_of_training_steps_are_passed_over() {
    let one = || Tensor::new(&[1], vec![1.0]).unwrap();
    let weights = |name: &str| Weights::from_tensors([("a".to_owned(), one()), (name.to_owned(), one())]).unwrap();
    let check = |name: &str| weights(name).check([("a", &[1][..])], &BTreeSet::new());
    assert!(check("bn1.num_batches_tracked").is_ok() && check("num_batches_tracked").is_ok());
    assert!(check("bn1.batches").is_err());
}

#[test]
fn converts_other_floats() {
    let header = r#"{"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]},"d":{"dtype":"F64","shape":[1],"data_offsets":[12,20]},"i":{"dtype":"I64","shape":[],"data_offsets":[20,28]}}"#;
    let halves = [0x3c00u16, 0xc248, 0x0001, 0x7c00]; // 1, −3.140625, 2⁻²⁴, ∞
    let brains = [0x3f80u16, 0xc049]; // 1, −3.140625
    let shorts: Vec<u8> = halves.iter().chain(&brains).flat_map(|half| half.to_le_bytes()).collect();
    let bytes = file(header, &[&shorts[..], &0.1f64.to_le_bytes(), &[0; 8]].concat());
    let weights = Weights::from_bytes(bytes).unwrap();
    assert_eq!(weights.get("h").unwrap().data(), [1.0, -3.140625, 2f32.powi(-24), f32::INFINITY]);
    assert_eq!(weights.get("b").unwrap().data(), [1.0, -3.140625]);
    assert_eq!(weights.get("d").unwrap().data(), [0.1]);
    let error = weights.get("i").unwrap_err().to_string();
    assert_eq!(error, "the weight `i` has the type I64; only F32, F16, BF16 and F64 can be used");
}

#[test]
fn refuses_what_is_not_whole() {
    let whole = two();
    for length in 0..whole.len() {
        refuse(whole[..length].to_vec());
    }
    refuse([&whole[..], &[0]].concat());
    assert!(refuse(Vec::new()).contains("it has 0 bytes"));
    assert!(refuse(whole[..whole.len() - 1].to_vec()).contains("its tensors should have 12 bytes, but 11 follow"));
    assert!(refuse(b"\x89PNG\r\n\x1a\n and so on".to_vec()).contains("its header should have"));
    assert!(refuse(file("not json", &[])).contains("its header cannot be read"));
    assert!(refuse(file(r#"{"a":{"dtype":"F31","shape":[0],"data_offsets":[0,0]}}"#, &[])).contains("F31"));
    assert!(refuse(u64::MAX.to_le_bytes().to_vec()).contains("18446744073709551615"));
    assert!(refuse(file(&"[".repeat(100_000), &[])).contains("its header cannot be read"));
}

#[test]
fn refuses_lying_offsets() {
    let one = |shape: &str, start: &str, end: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":[{shape}],"data_offsets":[{start},{end}]}}}}"#)
    };
    let max = usize::MAX.to_string();
    refuse(file(&one("2", "0", "4"), &[0; 4]));
    refuse(file(&one("1", "4", "0"), &[0; 4]));
    refuse(file(&one("1", "4", "8"), &[0; 8]));
    refuse(file(&one(&max, "0", &max), &[0; 4]));
    refuse(file(&one(&format!("{max},{max}"), "0", "4"), &[0; 4]));
    // Seven of 2⁶¹ bytes and one that lets the sum of all lengths pass 2⁶⁴.
    let step = 1u64 << 61;
    let tensors: Vec<String> = (0..7)
        .map(|i| {
            format!(r#""t{i}":{{"dtype":"U8","shape":[{step}],"data_offsets":[{},{}]}}"#, i * step, (i + 1) * step)
        })
        .collect();
    refuse(file(&format!("{{{}}}", tensors.join(",")), &[0; 4]));
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.safetensors");
    let error = Weights::open(&missing).unwrap_err();
    assert!(error.to_string().contains("none.safetensors"), "{error}");
    assert!(matches!(Weights::open(folder.path()), Err(Error::Read { .. })));
    std::fs::write(&missing, []).unwrap();
    assert!(matches!(Weights::open(&missing), Err(Error::BadWeights { .. })));
}

fn build<B: Builder>(b: &mut B) -> Result<(), cnn_ir::BuildError> {
    let x = b.input("x", &[3, 4, 4])?;
    let conv = b.layer("conv1", Conv2dSpec::new(3, 2, [3, 3]), &[&x])?;
    let flat = b.layer("flat", FlattenSpec::new(), &[&conv])?;
    let y = b.layer("fc", DenseSpec::new(8, 2), &[&flat])?;
    b.output("y", &y)
}

fn tensors(shapes: &[(&str, &[usize])]) -> Weights {
    Weights::from_tensors(shapes.iter().map(|(name, shape)| ((*name).to_owned(), Tensor::zeros(shape).unwrap())))
        .unwrap()
}

#[test]
fn every_difference_is_listed_at_once() {
    let weights = tensors(&[
        ("conv1.weight", &[2, 3, 5, 5]),
        ("conv_1.bias", &[2]),
        ("fc.weight", &[2, 8]),
        ("bn.running_mean", &[2]),
    ]);
    let error = Session::new(build, &weights, &CompileOptions::default()).unwrap_err();
    let expected = "\
the weights and the network do not fit
  wrong shape: `conv1.weight` must be [2, 3, 3, 3], but is [2, 3, 5, 5]
  missing: `conv1.bias` (the weights have `conv_1.bias`)
  missing: `fc.bias`
  unexpected: `bn.running_mean`
  unexpected: `conv_1.bias`";
    assert_eq!(error.to_string(), expected);
    assert!(weights.get("fc.weigth").unwrap_err().to_string().contains("`fc.weight`"));
}

#[test]
fn types_that_do_not_convert_are_all_named() {
    let header = r#"{"conv1.bias":{"dtype":"I32","shape":[2],"data_offsets":[0,8]},"conv1.weight":{"dtype":"F32","shape":[2,3,3,3],"data_offsets":[8,224]},"fc.bias":{"dtype":"U32","shape":[2],"data_offsets":[224,232]},"fc.weight":{"dtype":"F32","shape":[2,8],"data_offsets":[232,296]}}"#;
    let weights = Weights::from_bytes(file(header, &[0; 296])).unwrap();
    let error = Session::new(build, &weights, &CompileOptions::default()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::WeightsMismatch(_)));
    assert!(text.contains("`conv1.bias` is I32") && text.contains("`fc.bias` is U32"), "{text}");
}

#[test]
fn sessions_share_packed_weights() {
    let weights =
        tensors(&[("conv1.weight", &[2, 3, 3, 3]), ("conv1.bias", &[2]), ("fc.weight", &[2, 8]), ("fc.bias", &[2])]);
    let session = || Session::new(build, &weights, &CompileOptions::default()).unwrap();
    let first = session();
    let packed = weights.packed_bytes();
    assert!(packed > 0);
    let (second, third) = (session(), first.clone());
    assert_eq!(weights.packed_bytes(), packed, "the second session packs nothing anew");
    assert!(std::sync::Arc::ptr_eq(first.program(), third.program()));
    assert_eq!(second.program_text(), first.program_text());
    // Another build of the same network on a clone of the weights finds the same packed forms.
    let clone = weights.clone();
    let mut builder = LuminalBuilder::new();
    build(&mut builder).unwrap();
    Session::new(build, &clone, &CompileOptions::default()).unwrap();
    assert_eq!(clone.packed_bytes(), packed);
}
