//! PyTorch's files: a pickle of names, types and shapes, and the tensors' bytes beside it.
//!
//! Nothing in a pickle is run: the crate pytorch-reader interprets the few calls that make up tensors, and keeps of
//! any other object no more than the name of its type.

use crate::failure::Failure;
use pytorch_reader::{DType, FileFormat, PickleValue, PytorchError, PytorchReader};
use safetensors::{Dtype, View};
use std::borrow::Cow;
use std::fmt::Display;
use std::path::Path;

/// What a file holds.
#[derive(Debug)]
pub struct Checkpoint {
    /// What kind of file it is.
    pub format: &'static str,
    /// The entry of a nested checkpoint in which the tensors were.
    pub key: Option<String>,
    /// Entries beside the tensors that are something else: name and Python type, in order.
    pub others: Vec<(String, String)>,
    /// The tensors as the bytes of a safetensors file, with their names and types as they are.
    pub safetensors: Vec<u8>,
}

/// Where checkpoints have the weights, beside optimizers, epochs and the like.
const KEYS: &[&str] = &["state_dict", "model_state_dict", "model", "net", "params"];

/// The most characters of a reason.
const MAX_REASON: usize = 500;

/// How much the tensors may take in memory: views can make a small file say that it is large.
fn memory_limit(file_bytes: u64) -> u64 {
    file_bytes.saturating_mul(8).saturating_add(64 << 20)
}

/// Reads a PyTorch file: zip, the legacy stream of before 1.6, or tar. `key` is the entry of a nested checkpoint that
/// has the tensors; without it a usual one is looked for.
pub fn read(path: &Path, key: Option<&str>) -> Result<Checkpoint, Failure> {
    let error = |reason: &dyn Display| {
        // The text may quote the file, whatever that contains and however long it is.
        let reason: String = reason.to_string().chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
        Failure::Message(format!("cannot read `{}`: {reason}", path.display()))
    };
    let pickle = |reason: PytorchError| error(&reason);
    let root = PytorchReader::read_pickle_data(path, None).map_err(pickle)?;
    let key = key.map(str::to_owned).or_else(|| find_key(&root));
    let reader = match &key {
        Some(key) => PytorchReader::with_top_level_key(path, key),
        None => PytorchReader::new(path),
    }
    .map_err(pickle)?;
    let format = match reader.metadata().format_type {
        FileFormat::Zip => "a PyTorch file",
        FileFormat::Legacy => "a PyTorch file of the legacy format",
        FileFormat::Tar => "a PyTorch file of the tar format",
        FileFormat::Pickle => "a pickle",
    };

    let needed = reader.tensors().values().fold(0u64, |sum, tensor| sum.saturating_add(tensor.byte_len() as u64));
    let limit = memory_limit(path.metadata().map_err(|e| error(&e))?.len());
    if needed > limit {
        return Err(error(&format_args!("its tensors would take {needed} bytes, far more than the file has")));
    }
    let mut tensors = Vec::new();
    for (name, tensor) in reader.tensors() {
        let bytes = tensor.read().map_err(|e| error(&e))?;
        tensors.push((name, Stored { dtype: dtype(tensor.dtype()), shape: tensor.shape(), bytes }));
    }
    let safetensors = safetensors::serialize(tensors, None).map_err(|e| error(&e))?;
    Ok(Checkpoint { format, others: others(&root, key.as_deref()), key, safetensors })
}

/// The usual entry of a nested checkpoint that holds a state dict.
fn find_key(root: &PickleValue) -> Option<String> {
    let PickleValue::Dict(root) = root else { return None };
    let found = KEYS.iter().find(|key| root.get(**key).is_some_and(is_state_dict));
    found.map(|key| (*key).to_owned())
}

/// Whether this has tensors whose names have dots, or the attribute that PyTorch gives to every state dict, which is
/// read as an entry. The parts of a whole module, which is read as nested dictionaries, have neither.
fn is_state_dict(value: &PickleValue) -> bool {
    let PickleValue::Dict(entries) = value else { return false };
    let marked = matches!(entries.get("_metadata"), Some(PickleValue::Dict(_)));
    entries.iter().any(|(name, value)| is_tensor(value) && (marked || name.contains('.')))
}

fn is_tensor(value: &PickleValue) -> bool {
    matches!(value, PickleValue::Unsupported(python) if python == "torch.Tensor")
}

/// What is beside the tensors, with Python's names of the types.
fn others(root: &PickleValue, key: Option<&str>) -> Vec<(String, String)> {
    let chosen = match (root, key) {
        (PickleValue::Dict(root), Some(key)) => root.get(key),
        (root, _) => Some(root),
    };
    let Some(PickleValue::Dict(entries)) = chosen else { return Vec::new() };
    let python = |value: &PickleValue| match value {
        PickleValue::Dict(_) => None,
        value if is_tensor(value) => None,
        PickleValue::Unsupported(python) => Some(python.clone()),
        PickleValue::None => Some("None".into()),
        PickleValue::Bool(_) => Some("bool".into()),
        PickleValue::Int(_) => Some("int".into()),
        PickleValue::Float(_) => Some("float".into()),
        PickleValue::String(_) => Some("str".into()),
        PickleValue::Bytes(_) => Some("bytes".into()),
        PickleValue::List(_) => Some("list".into()),
    };
    let mut others: Vec<_> = entries.iter().filter_map(|(name, value)| Some((name.clone(), python(value)?))).collect();
    others.sort();
    others
}

/// A tensor on its way into safetensors.
struct Stored<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: Vec<u8>,
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            return Cow::Borrowed(&self.bytes);
        }
        // The reader gives the machine's byte order; safetensors is little-endian.
        let size = (self.dtype.bitsize() / 8).max(1);
        Cow::Owned(self.bytes.chunks(size).flat_map(|element| element.iter().rev().copied()).collect())
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::path::PathBuf;

    fn file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    /// A generator of numbers (Marsaglia's xorshift), the same on every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % end as u64) as usize
        }
    }

    /// Some bytes changed, and sometimes the end cut off or a part repeated.
    fn damage(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=numbers.below(3) {
            let place = numbers.below(bytes.len());
            bytes[place] =
                if numbers.below(2) == 0 { numbers.below(256) as u8 } else { bytes[place] ^ 1 << numbers.below(8) };
        }
        match numbers.below(8) {
            0 => bytes.truncate(numbers.below(bytes.len()) + 1),
            1 => {
                let (from, to) = (numbers.below(bytes.len()), numbers.below(bytes.len()));
                let part = bytes[from..].iter().take(64).copied().collect::<Vec<_>>();
                bytes.splice(to..to, part);
            }
            _ => {}
        }
        bytes
    }

    #[test]
    fn damaged_files_are_read_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.pth");
        let rounds = std::env::var("CNN_IMPORT_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
        let (mut numbers, mut refused) = (Numbers(0x9e37_79b9_7f4a_7c15), 0);
        for name in ["legacy.pth", "zip.pth", "nested.pth", "module.pth", "command.pth", "sparse.pth"] {
            let whole = std::fs::read(file(name)).unwrap();
            for _ in 0..rounds {
                std::fs::write(&path, damage(&whole, &mut numbers)).unwrap();
                match read(&path, None) {
                    Ok(checkpoint) => assert!(checkpoint.safetensors.len() as u64 <= memory_limit(whole.len() as u64)),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > rounds, "{refused} of {} refused: is anything damaged?", 6 * rounds);
    }

    #[test]
    fn a_view_cannot_say_that_a_small_file_is_large() {
        // `shared` is 4 elements, 3 apart; with 0 apart there may be any number.
        let whole = std::fs::read(file("legacy.pth")).unwrap();
        let place = |part: &[u8]| whole.windows(part.len()).position(|window| window == part).unwrap();
        let at = place(b"K\x04\x85q");
        let start = &whole[..at];
        assert!(start.ends_with(b"K\x00"), "the offset comes before the size");
        let mut bytes = start.to_vec();
        bytes.extend(b"J\x00\x00\x00\x7f\x85");
        let rest = &whole[at + 3..];
        let stride = rest.windows(2).position(|window| window == b"K\x03").unwrap();
        bytes.extend(&rest[..stride]);
        bytes.extend(b"K\x00");
        bytes.extend(&rest[stride + 2..]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("view.pth");
        std::fs::write(&path, bytes).unwrap();
        let Err(Failure::Message(text)) = read(&path, None) else { panic!("it was read") };
        assert!(text.contains("far more than the file has"), "{text}");
    }
}
