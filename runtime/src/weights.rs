//! Trained parameters: read once, shared by every session, never copied when they are f32.

use crate::buffer::{Buffer, Slab};
use crate::error::WeightsMismatch;
use crate::tensor::{Tensor, TensorView};
use crate::{Error, tensor};
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(crate) mod dtype;
mod export;
mod stored;

/// The trained parameters of a network, by name. Cheap to clone: clones share everything.
///
/// Names are PyTorch's: `layer1.0.conv1.weight`. F32 tensors are used where they lie when they are aligned; F16, BF16
/// and F64 are converted when first used. What the engine derives from a tensor is kept here, so that sessions on the
/// same weights share it.
#[derive(Debug, Clone)]
pub struct Weights(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: String,
    bytes: Arc<Bytes>,
    entries: BTreeMap<String, Entry>,
    packed: Mutex<HashMap<(String, String), Slot>>,
    /// Where what is packed lies.
    room: Slab,
    /// What was packed before, in the file that was asked for last.
    stored: Mutex<Option<Arc<stored::Stored>>>,
    /// Which file the weights are mapped from, once that was asked.
    identity: OnceLock<Option<stored::Identity>>,
}

/// What is made of a tensor, once it is made. Each has a lock of its own, so that several are made at once.
type Slot = Arc<Mutex<Option<Arc<Buffer>>>>;

#[derive(Debug)]
enum Bytes {
    Held(Cow<'static, [u8]>),
    Mapped(memmap2::Mmap, std::fs::Metadata),
    /// As many as the largest tensor has; memory only as far as they are read.
    Zeros(Buffer),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Held(bytes) => bytes,
            Bytes::Mapped(map, _) => map,
            Bytes::Zeros(buffer) => buffer.as_bytes(),
        }
    }

    /// Has the system map a range that is about to be read, at once and not page by page.
    fn fetch(&self, range: &Range<usize>) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(map, _) = self {
            // Older systems know no such advice, and read page by page.
            let _ = map.advise_range(memmap2::Advice::PopulateRead, range.start, range.len());
        }
    }

    /// Lets the system take back the memory of a range that has been read.
    fn forget(&self, range: &Range<usize>) {
        #[cfg(target_os = "linux")]
        if let Bytes::Mapped(map, _) = self {
            // Pages that the range shares with its neighbours stay.
            let start = range.start.next_multiple_of(PAGE);
            let end = range.end / PAGE * PAGE;
            if start < end {
                // SAFETY: the map is of a file, read-only and unchanged, so the pages are read again as they were.
                // That it fails costs nothing but memory.
                let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, end - start) };
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    shape: Vec<usize>,
    dtype: Dtype,
    range: Range<usize>,
    /// The elements, when they cannot be used where they lie.
    own: OnceLock<Vec<f32>>,
}

/// At least the size of a page of memory.
const PAGE: usize = 1 << 16;

/// The longest header that is read; safetensors has the same limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;

impl Weights {
    /// Maps a safetensors file into memory. The file must not be changed while the weights are in use.
    ///
    /// # Errors
    /// A file that cannot be read or is not a whole safetensors file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(failed(std::io::Error::other("it is not a regular file")));
        }
        let bytes = if metadata.len() == 0 {
            Bytes::Held(Cow::Borrowed(&[])) // an empty file cannot be mapped everywhere
        } else {
            // SAFETY: the map is read-only and private to us; that nobody shortens or rewrites the file meanwhile is
            // the documented condition of this function, as for every reader that maps.
            Bytes::Mapped(unsafe { memmap2::Mmap::map(&file) }.map_err(failed)?, metadata)
        };
        Self::parse(path.display().to_string(), bytes)
    }

    /// Reads a safetensors file that is in memory: a `Vec<u8>`, or `&'static [u8]` from `include_bytes!`.
    ///
    /// # Errors
    /// Bytes that are not a whole safetensors file.
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Self, Error> {
        Self::parse("the weights".into(), Bytes::Held(bytes.into()))
    }

    /// Weights from tensors by name; their shapes have no batch.
    ///
    /// # Errors
    /// None at present; kept for formats with limits.
    ///
    /// ```
    /// use cnn_runtime::{Tensor, Weights};
    ///
    /// # fn main() -> Result<(), cnn_runtime::Error> {
    /// let weights = Weights::from_tensors([("fc.bias".to_owned(), Tensor::new(&[2], vec![0.5, -0.5])?)])?;
    /// assert_eq!(weights.get("fc.bias")?.data(), [0.5, -0.5]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_tensors(tensors: impl IntoIterator<Item = (String, Tensor)>) -> Result<Self, Error> {
        let entry = |tensor: Tensor| {
            let shape = tensor.shape().to_vec();
            Entry { shape, dtype: Dtype::F32, range: 0..0, own: OnceLock::from(tensor.into_data()) }
        };
        let entries = tensors.into_iter().map(|(name, tensor)| (name, entry(tensor))).collect();
        Ok(Self::new("the weights".into(), Arc::new(Bytes::Held(Cow::Borrowed(&[]))), entries))
    }

    /// Parameters of which only names and shapes are known, to plan with: all are zero, and nothing is packed of them.
    pub(crate) fn of_shapes<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a [usize])>) -> Result<Self, Error> {
        let mut entries = BTreeMap::new();
        let mut most = 0;
        for (name, shape) in parameters {
            let elements = tensor::count(shape)?;
            most = most.max(elements);
            let range = 0..elements.saturating_mul(size_of::<f32>());
            entries.insert(
                name.to_owned(),
                Entry { shape: shape.to_vec(), dtype: Dtype::F32, range, own: OnceLock::new() },
            );
        }
        let bytes = Bytes::Zeros(Buffer::zeros(most, "weights to plan with")?);
        Ok(Self::new("the weights".into(), Arc::new(bytes), entries))
    }

    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.entries.keys().map(String::as_str)
    }

    /// The shape of a tensor; `None` when there is none of this name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.entries.get(name).map(|entry| entry.shape.as_slice())
    }

    /// A tensor by name.
    ///
    /// # Errors
    /// No tensor of this name, or one whose type does not convert to f32.
    pub fn get(&self, name: &str) -> Result<TensorView<'_>, Error> {
        let entry = self.0.entries.get(name).ok_or_else(|| self.missing(name))?;
        TensorView::new(&entry.shape, entry.elements(name, self.0.bytes.as_slice())?)
    }

    /// Checks that exactly these parameters are here, in these shapes. Those of `optional` may be here, too, and what
    /// PyTorch's batch norms store beside their parameters, `num_batches_tracked`.
    ///
    /// # Errors
    /// Every missing, unexpected, mis-shaped and mistyped name at once.
    pub fn check<'a>(
        &self,
        parameters: impl IntoIterator<Item = (&'a str, &'a [usize])>,
        optional: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let parameters: BTreeMap<&str, &[usize]> = parameters.into_iter().collect();
        let mut difference = WeightsMismatch {
            unexpected: self
                .names()
                .filter(|name| !parameters.contains_key(name) && !optional.contains(*name) && !is_counter(name))
                .map(str::to_owned)
                .collect(),
            ..Default::default()
        };
        for (&name, &shape) in &parameters {
            match self.shape(name) {
                None => {
                    let near = nearest(name, difference.unexpected.iter().map(String::as_str));
                    difference.missing.push((name.to_owned(), near.map(str::to_owned)));
                }
                Some(found) if found != shape => {
                    difference.misshapen.push((name.to_owned(), shape.to_vec(), found.to_vec()));
                }
                Some(_) => {}
            }
            if let Some(entry) = self.0.entries.get(name).filter(|entry| !entry.is_float()) {
                difference.mistyped.push((name.to_owned(), format!("{:?}", entry.dtype)));
            }
        }
        if !difference.is_empty() {
            return Err(self.mismatch(difference));
        }
        Ok(())
    }

    /// Bytes of memory that sessions have packed from these weights, shared by all of them.
    pub fn packed_bytes(&self) -> usize {
        let slots: Vec<Slot> = lock(&self.0.packed).values().cloned().collect();
        let bytes = |slot: &Slot| lock(slot).as_ref().map_or(0, |buffer| size_of_val(buffer.as_slice()));
        slots.iter().map(bytes).sum()
    }

    /// What `pack` makes of a tensor in a buffer of at least so many zeros, made once per tensor and packing. The memory that holds the tensor itself is given
    /// back to the system, which reads it again should it be needed.
    pub(crate) fn packed(
        &self,
        name: &str,
        packing: &str,
        elements: usize,
        pack: impl FnOnce(&[f32], &mut Buffer) -> Result<(), Error>,
    ) -> Result<Arc<Buffer>, Error> {
        if let Bytes::Zeros(_) = *self.0.bytes {
            return Ok(Arc::default());
        }
        let key = (name.to_owned(), packing.to_owned());
        let slot = lock(&self.0.packed).entry(key.clone()).or_default().clone();
        let mut slot = lock(&slot);
        if let Some(buffer) = &*slot {
            return Ok(buffer.clone());
        }
        let stored = lock(&self.0.stored).clone();
        if let Some(buffer) = stored.and_then(|stored| stored.part(&key, elements)) {
            return Ok(slot.insert(Arc::new(buffer)).clone());
        }
        let entry = self.0.entries.get(name).ok_or_else(|| self.missing(name))?;
        self.0.bytes.fetch(&entry.range);
        let mut buffer = self.0.room.zeros(elements, "packed weights")?;
        pack(&entry.borrowed(name, self.0.bytes.as_slice())?, &mut buffer)?;
        self.0.bytes.forget(&entry.range);
        Ok(slot.insert(Arc::new(buffer)).clone())
    }

    /// Lets go of all that has been packed; kernels keep what they have.
    pub(crate) fn forget_packed(&self) {
        lock(&self.0.packed).clear();
    }

    /// A handle to a tensor that is used where it lies.
    pub(crate) fn shared(&self, name: &str) -> Result<SharedTensor, Error> {
        self.get(name)?;
        Ok(SharedTensor::Stored { weights: self.clone(), name: name.to_owned() })
    }

    fn new(origin: String, bytes: Arc<Bytes>, entries: BTreeMap<String, Entry>) -> Self {
        let stored = entries.values().fold(0, |sum: usize, entry| sum.saturating_add(entry.bytes()));
        // Packed for Winograd's convolution, weights grow.
        let room = Slab::new(stored.saturating_mul(3));
        let (packed, stored, identity) = (Mutex::default(), Mutex::default(), OnceLock::new());
        Self(Arc::new(Inner { origin, bytes, entries, packed, room, stored, identity }))
    }

    fn missing(&self, name: &str) -> Error {
        let missing = vec![(name.to_owned(), nearest(name, self.names()).map(str::to_owned))];
        self.mismatch(WeightsMismatch { missing, ..Default::default() })
    }

    fn mismatch(&self, difference: WeightsMismatch) -> Error {
        Error::WeightsMismatch(WeightsMismatch { origin: self.0.origin.clone(), ..difference })
    }

    fn parse(origin: String, bytes: Bytes) -> Result<Self, Error> {
        match read_header(bytes.as_slice()) {
            Ok(entries) => Ok(Self::new(origin, Arc::new(bytes), entries)),
            Err(reason) => Err(Error::BadWeights { origin, reason }),
        }
    }
}

/// A tensor of shared weights.
#[derive(Debug, Clone)]
pub(crate) enum SharedTensor {
    /// Used where it lies.
    Stored { weights: Weights, name: String },
    /// Made of one that is stored; the buffer may be longer.
    Packed { buffer: Arc<Buffer>, elements: usize },
}

impl SharedTensor {
    /// The elements in row-major order.
    pub fn data(&self) -> &[f32] {
        match self {
            // Found when the handle was made, so it cannot fail now.
            Self::Stored { weights, name } => weights.get(name).map_or(&[], |tensor| tensor.data()),
            Self::Packed { buffer, elements } => &buffer.as_slice()[..*elements],
        }
    }
}

/// How PyTorch's files begin: a zip archive, or a pickle of protocol 2.
const PYTORCH: [&[u8]; 2] = [b"PK\x03\x04", b"\x80\x02"];

/// Reads the header: eight bytes of its length, then JSON. The safetensors crate checks that the tensors fill the data
/// without gaps; the lengths are checked here, because its own sum of them can overflow.
fn read_header(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, String> {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(format!("it has {} bytes, fewer than the 8 of the header's length", bytes.len()));
    };
    if PYTORCH.iter().any(|start| bytes.starts_with(start)) && rest.first() != Some(&b'{') {
        return Err("it looks like a PyTorch file, which `cnn import FILE -o weights.safetensors` converts".into());
    }
    let length = u64::from_le_bytes(*length);
    let header = usize::try_from(length).ok().filter(|_| length <= MAX_HEADER_BYTES).and_then(|n| rest.get(..n));
    let Some(header) = header else {
        return Err(format!("its header should have {length} bytes, but only {} follow", rest.len()));
    };
    let metadata: Metadata =
        serde_json::from_slice(header).map_err(|error| format!("its header cannot be read: {error}"))?;
    let found = rest.len() - header.len();
    if metadata.data_len() != found {
        return Err(format!("its tensors should have {} bytes, but {found} follow the header", metadata.data_len()));
    }
    let start = bytes.len() - found;
    let mut entries = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let range = start + info.data_offsets.0..start + info.data_offsets.1;
        let entry = Entry { shape: info.shape.clone(), dtype: info.dtype, range, own: OnceLock::new() };
        entries.insert(name, entry);
    }
    Ok(entries)
}

impl Entry {
    /// Bytes of the elements, as far as they are known.
    fn bytes(&self) -> usize {
        self.range.len().max(self.own.get().map_or(0, |own| size_of_val(own.as_slice())))
    }

    /// Whether the elements are f32 or convert to it.
    fn is_float(&self) -> bool {
        matches!(self.dtype, Dtype::F32 | Dtype::F64 | Dtype::BF16 | Dtype::F16)
    }

    /// The elements, kept when they had to be converted.
    fn elements<'a>(&'a self, name: &str, bytes: &'a [u8]) -> Result<&'a [f32], Error> {
        match self.borrowed(name, bytes)? {
            Cow::Borrowed(elements) => Ok(elements),
            Cow::Owned(own) => Ok(self.own.get_or_init(|| own)),
        }
    }

    /// The elements, for once.
    fn borrowed<'a>(&'a self, name: &str, bytes: &'a [u8]) -> Result<Cow<'a, [f32]>, Error> {
        if let Some(own) = self.own.get() {
            return Ok(Cow::Borrowed(own));
        }
        let bytes = bytes.get(self.range.clone()).unwrap_or(&[]);
        if self.dtype == Dtype::F32 && cfg!(target_endian = "little") {
            // SAFETY: every bit pattern is an f32; `align_to` itself splits off what is not aligned.
            let (before, elements, after) = unsafe { bytes.align_to::<f32>() };
            if before.is_empty() && after.is_empty() {
                return Ok(Cow::Borrowed(elements));
            }
        }
        let elements = tensor::count(&self.shape)?;
        let convert: fn(&[u8]) -> f32 = match self.dtype {
            Dtype::F32 => |b| f32::from_le_bytes(fixed(b)),
            Dtype::F64 => |b| f64::from_le_bytes(fixed(b)) as f32,
            Dtype::BF16 => |b| bf16::from_le_bytes(fixed(b)).to_f32(),
            Dtype::F16 => |b| f16::from_le_bytes(fixed(b)).to_f32(),
            dtype => return Err(Error::WeightType { name: name.to_owned(), dtype: format!("{dtype:?}") }),
        };
        let mut own = Vec::new();
        own.try_reserve_exact(elements)
            .map_err(|_| Error::OutOfMemory { what: "converted weights", bytes: elements.saturating_mul(4) })?;
        own.extend(bytes.chunks_exact(self.dtype.bitsize() / 8).map(convert));
        Ok(Cow::Owned(own))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first N bytes; the callers' chunks have them.
fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// Whether a tensor only counts training steps, as `bn1.num_batches_tracked` does.
fn is_counter(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

/// The most names that are compared in search of the nearest.
const MAX_CANDIDATES: usize = 1000;

/// The candidate with the smallest edit distance, if that is small for the name's length.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .take(MAX_CANDIDATES)
        .filter(|candidate| candidate.len().abs_diff(name.len()) <= name.len() / 3 && candidate.len() <= 200)
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= name.len() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance in bytes.
fn edit_distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
