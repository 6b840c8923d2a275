//! Packed weights in a file, so that the next start maps them and packs nothing.
//!
//! The file is eight bytes of a name, the length of the index and its checksum, the index as JSON, and then the packed
//! weights on cache-line boundaries, each with a checksum. What does not fit the weights, this version of the crate or
//! its own checksums is not used. What a kernel packs is named after all that it depends on, so that other kernels, sizes
//! and instruction sets find nothing.

use super::{Bytes, Entry, PAGE, Slot, Weights, lock};
use crate::Error;
use crate::buffer::{Buffer, LINE};
use memmap2::Mmap;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, Metadata};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

const NAME: &[u8; 8] = b"cnnpack1";
/// Counts up with every change of how any kernel packs, and of what the index holds.
const FORMAT: u64 = 2;
const LINE_BYTES: usize = LINE * size_of::<f32>();

/// Which file weights are of: [`FORMAT`], its length, when it was changed, what it says to hold, and some of its contents.
pub(super) type Identity = [u64; 6];

/// Bytes of a tensor that its identity looks at, in as many places: each costs a page of the file that is read.
const SAMPLES: usize = 8;
const SAMPLE_BYTES: usize = 64;

/// The version of the crate, the weights' identity, and of each part the tensor, the packing, the first line, the number
/// of lines and the checksum.
type Index = (String, Identity, Vec<(String, String, usize, usize, u64)>);

/// A file of packed weights.
#[derive(Debug)]
pub(super) struct Stored {
    map: Arc<Mmap>,
    parts: HashMap<(String, String), (usize, usize, u64)>,
}

impl Stored {
    /// `None` when there is no file or it is not of these weights.
    fn open(path: &Path, identity: &Identity) -> Option<Self> {
        let file = File::open(path).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        // SAFETY: the map is read-only. Files of packed weights are replaced as a whole and never rewritten; that nobody
        // else does so is a documented condition.
        let map = unsafe { Mmap::map(&file) }.ok()?;
        let (name, rest) = map.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let (sum, rest) = rest.split_first_chunk::<8>()?;
        let index = rest.get(..usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        if name != NAME || hash(index) != u64::from_le_bytes(*sum) {
            return None;
        }
        let (version, of, parts): Index = serde_json::from_slice(index).ok()?;
        let end =
            parts.iter().map(|part| part.2.checked_add(part.3)).try_fold(first_line(index), |a, b| Some(a.max(b?)));
        if version != env!("CARGO_PKG_VERSION") || of != *identity || end?.checked_mul(LINE_BYTES)? != map.len() {
            return None;
        }
        let parts =
            parts.into_iter().map(|(tensor, packing, first, lines, sum)| ((tensor, packing), (first, lines, sum)));
        let parts = parts.collect();
        Some(Self { map: Arc::new(map), parts })
    }

    /// A part that is whole and has at least so many elements.
    pub fn part(&self, key: &(String, String), elements: usize) -> Option<Buffer> {
        let &(first, lines, sum) = self.parts.get(key)?;
        if lines < elements.div_ceil(LINE) {
            return None;
        }
        #[cfg(target_os = "linux")]
        let _ = self.map.advise_range(memmap2::Advice::PopulateRead, first * LINE_BYTES, lines * LINE_BYTES);
        let buffer = Buffer::mapped(self.map.clone(), first, lines)?;
        (checksum(buffer.as_slice()) == sum).then_some(buffer)
    }
}

impl Weights {
    /// Takes packed weights from a file where it has them and they are of these weights.
    pub(crate) fn use_stored(&self, path: &Path) {
        if let Some(identity) = self.identity() {
            *lock(&self.0.stored) = Stored::open(path, &identity).map(Arc::new);
        }
    }

    /// Which file the weights are mapped from.
    fn identity(&self) -> Option<Identity> {
        *self.0.identity.get_or_init(|| {
            let Bytes::Mapped(map, metadata) = &*self.0.bytes else { return None };
            let identity = identity(map, metadata, &self.0.entries);
            // The system has read much more than the samples.
            self.0.entries.values().for_each(|entry| self.0.bytes.forget(&entry.range));
            identity
        })
    }

    /// Writes what is packed to a file, when that has not all of it; what else it has for these weights, packed for other
    /// kernels, stays. Weights that are no file's are not written.
    pub(crate) fn store(&self, path: &Path) -> Result<(), Error> {
        let Some(identity) = self.identity() else { return Ok(()) };
        let slots: BTreeMap<(String, String), Slot> =
            lock(&self.0.packed).iter().map(|(key, slot)| (key.clone(), slot.clone())).collect();
        let buffers = slots.into_iter().filter_map(|(key, slot)| Some((key, lock(&slot).clone()?)));
        let mut buffers: BTreeMap<(String, String), Arc<Buffer>> = buffers.collect();
        let stored = Stored::open(path, &identity);
        // What is mapped may come from another file, and what is in this one may be damaged.
        let has = |(key, buffer): (&(String, String), &Arc<Buffer>)| {
            buffer.is_mapped() && stored.as_ref().is_some_and(|stored| stored.parts.contains_key(key))
        };
        if buffers.iter().all(has) {
            return Ok(());
        }
        if let Some(stored) = stored {
            for key in stored.parts.keys().filter(|key| !buffers.contains_key(*key)).cloned().collect::<Vec<_>>() {
                if let Some(buffer) = stored.part(&key, 0) {
                    buffers.insert(key, Arc::new(buffer));
                }
            }
        }
        let written = replaceable(path).and_then(|()| write(path, identity, &buffers));
        written.map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    /// Bytes of packed weights that lie in a file.
    #[cfg(test)]
    fn mapped_bytes(&self) -> usize {
        let slots: Vec<Slot> = lock(&self.0.packed).values().cloned().collect();
        let mapped = |slot: &Slot| lock(slot).clone().filter(|buffer| buffer.is_mapped());
        slots.iter().filter_map(mapped).map(|buffer| size_of_val(buffer.as_slice())).sum()
    }
}

/// Whether a path is free or has packed weights, which may be damaged: nothing else is replaced.
fn replaceable(path: &Path) -> std::io::Result<()> {
    let mut start = Vec::new();
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path)?.take(NAME.len() as u64).read_to_end(&mut start)?,
        Ok(_) => return Err(std::io::Error::other("it is no regular file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    match NAME.starts_with(&start) {
        true => Ok(()),
        false => Err(std::io::Error::other("it is there and holds something else than packed weights")),
    }
}

/// Writes a new file and puts it in the place of the old one.
fn write(path: &Path, identity: Identity, buffers: &BTreeMap<(String, String), Arc<Buffer>>) -> std::io::Result<()> {
    let mut parts = Vec::new();
    let mut lines = 0;
    for ((tensor, packing), buffer) in buffers {
        let count = buffer.as_slice().len() / LINE;
        parts.push((tensor.clone(), packing.clone(), lines, count, checksum(buffer.as_slice())));
        lines += count;
    }
    // Places count from the beginning of the file, and so depend on the length of the index that holds them: it is padded
    // to a length that is enough for all.
    let index = |first: usize| {
        let parts = parts.iter().map(|(a, b, start, count, sum)| (a, b, start + first, count, sum)).collect::<Vec<_>>();
        serde_json::to_vec(&(env!("CARGO_PKG_VERSION"), identity, parts)).map_err(std::io::Error::other)
    };
    let room = (index(usize::MAX / 2 - lines)?.len() + 24).next_multiple_of(PAGE);
    let mut text = index(room / LINE_BYTES)?;
    text.resize(room - 24, b' ');
    let mut name = path.file_name().unwrap_or_default().to_owned();
    // Sessions that start together write a file each.
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    name.push(format!(".{}-{}.new", std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed)));
    let new = path.with_file_name(name);
    let written = (|| {
        let mut file = BufWriter::new(File::create_new(&new)?);
        file.write_all(NAME)?;
        file.write_all(&(text.len() as u64).to_le_bytes())?;
        file.write_all(&hash(&text).to_le_bytes())?;
        file.write_all(&text)?;
        for buffer in buffers.values() {
            file.write_all(buffer.as_bytes())?;
        }
        file.into_inner()?.sync_all()?;
        std::fs::rename(&new, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    written
}

/// The line behind the index.
fn first_line(index: &[u8]) -> usize {
    (24 + index.len()).div_ceil(LINE_BYTES)
}

/// What a file of weights is known by.
fn identity(bytes: &[u8], metadata: &Metadata, entries: &BTreeMap<String, Entry>) -> Option<Identity> {
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let entry =
        |(name, entry): (&String, &Entry)| format!("{name} {:?} {:?} {:?}\n", entry.shape, entry.dtype, entry.range);
    let text: String = entries.iter().map(entry).collect();
    let sample = |entry: &Entry, number: usize| {
        let last = entry.range.end.saturating_sub(SAMPLE_BYTES).max(entry.range.start);
        let start = entry.range.start + (last - entry.range.start) / (SAMPLES - 1) * number;
        bytes.get(start..entry.range.end.min(start + SAMPLE_BYTES)).map_or(0, hash)
    };
    let samples = entries.values().flat_map(|entry| (0..SAMPLES).map(move |number| sample(entry, number)));
    let samples: Vec<u8> = samples.flat_map(u64::to_le_bytes).collect();
    let [seconds, nanoseconds] = [changed.as_secs(), u64::from(changed.subsec_nanos())];
    Some([FORMAT, metadata.len(), seconds, nanoseconds, hash(text.as_bytes()), hash(&samples)])
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Fletcher's sums of whole lines, lane by lane: as fast as memory, and they see what is changed, moved or cut off.
fn checksum(elements: &[f32]) -> u64 {
    let (mut sums, mut sums_of_sums) = ([1u32; LINE], [0u32; LINE]);
    for line in elements.chunks_exact(LINE) {
        for lane in 0..LINE {
            sums[lane] = sums[lane].wrapping_add(line[lane].to_bits());
            sums_of_sums[lane] = sums_of_sums[lane].wrapping_add(sums[lane]);
        }
    }
    let bytes: Vec<u8> = sums.iter().chain(&sums_of_sums).flat_map(|sum| sum.to_le_bytes()).collect();
    hash(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompileOptions, LuminalBuilder, Session, Tensor};
    use cnn_ir::Builder;
    use cnn_ir::ops::Conv2dSpec;

    /// One convolution on a file of weights: its outputs, and the bytes of packed weights that were mapped.
    fn run(weights: &Path, packed: &Path) -> Result<(Vec<f32>, usize), Error> {
        run_with(&Weights::open(weights)?, packed)
    }

    fn run_with(weights: &Weights, packed: &Path) -> Result<(Vec<f32>, usize), Error> {
        run_exact(weights, packed, false)
    }

    fn run_exact(weights: &Weights, packed: &Path, exact: bool) -> Result<(Vec<f32>, usize), Error> {
        let build = |network: &mut LuminalBuilder| {
            let x = network.input("x", &[32, 8, 8])?;
            let y = network.layer("conv", Conv2dSpec { padding: [1; 4], ..Conv2dSpec::new(32, 32, [3, 3]) }, &[&x])?;
            network.output("y", &y)
        };
        let packed = Some(packed.to_owned());
        let options = CompileOptions { packed, exact, threads: Some(1), ..CompileOptions::default() };
        let mut session = Session::new(build, weights, &options)?;
        let input = Tensor::new(&[1, 32, 8, 8], (0..2048).map(|i| (i % 17) as f32 / 17.0).collect())?;
        let outputs = session.run(&[&input])?.get(0).data().to_vec();
        Ok((outputs, weights.mapped_bytes()))
    }

    fn save(path: &Path, scale: f32) {
        let weight = (0..32 * 32 * 9).map(|i| scale * ((i % 23) as f32 / 23.0 - 0.5)).collect();
        let tensors = [
            ("conv.weight".to_owned(), Tensor::new(&[32, 32, 3, 3], weight).unwrap()),
            ("conv.bias".to_owned(), Tensor::new(&[32], vec![scale; 32]).unwrap()),
        ];
        std::fs::write(path, Weights::from_tensors(tensors).unwrap().to_safetensors().unwrap()).unwrap();
    }

    #[test]
    fn the_second_start_maps_and_what_does_not_fit_is_packed_again() {
        let folder = tempfile::tempdir().unwrap();
        let (weights, packed) = (folder.path().join("w.safetensors"), folder.path().join("w.packed"));
        save(&weights, 1.0);
        let (first, mapped) = run(&weights, &packed).unwrap();
        assert_eq!(mapped, 0);
        let whole = std::fs::read(&packed).unwrap();
        let (second, mapped) = run(&weights, &packed).unwrap();
        assert_eq!(second, first);
        assert!(mapped >= 4 * 32 * 32 * 9, "{mapped}");

        let end = whole.len();
        // A damaged file: its beginning, its index, its weights; cut off, longer, empty.
        let damaged = [9, 12, 40, end - 3000].map(|place| {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            bytes
        });
        let cut = [0, 10, end / 2, end - 1].map(|length| whole[..length].to_vec());
        for bytes in damaged.into_iter().chain(cut).chain([[&whole[..], &[0; 64]].concat()]) {
            std::fs::write(&packed, &bytes).unwrap();
            let (found, mapped_now) = run(&weights, &packed).unwrap();
            assert_eq!(found, first);
            assert!(mapped_now < mapped, "{} bytes", bytes.len());
            assert_eq!(std::fs::read(&packed).unwrap(), whole, "it is written anew");
        }

        // What another session packed otherwise stays.
        run_exact(&Weights::open(&weights).unwrap(), &packed, true).unwrap();
        assert!(std::fs::metadata(&packed).unwrap().len() > whole.len() as u64);
        assert!(run(&weights, &packed).unwrap().1 == mapped);
        std::fs::write(&packed, &whole).unwrap();

        // A part that has less than its kernel needs is not used.
        let same = Weights::open(&weights).unwrap();
        same.use_stored(&packed);
        let stored = lock(&same.0.stored).clone().unwrap();
        for (key, &(_, lines, _)) in &stored.parts {
            assert!(stored.part(key, lines * LINE).is_some() && stored.part(key, lines * LINE + 1).is_none());
        }

        // Weights that were packed for one file are written to another, too.
        let (same, other) = (Weights::open(&weights).unwrap(), folder.path().join("other.packed"));
        for file in [&packed, &other, &other] {
            run_with(&same, file).unwrap();
        }
        assert_eq!(std::fs::read(&other).unwrap(), whole);

        // Other contents of the same length and time.
        let changed = std::fs::metadata(&weights).unwrap().modified().unwrap();
        save(&weights, 0.5);
        std::fs::File::options().write(true).open(&weights).unwrap().set_modified(changed).unwrap();
        let (found, mapped) = run(&weights, &packed).unwrap();
        assert!(mapped == 0 && found != first);

        // Another file is not replaced.
        let kept = std::fs::read(&weights).unwrap();
        assert!(run(&weights, &weights).is_err_and(|error| error.to_string().contains("something else")));
        assert_eq!(std::fs::read(&weights).unwrap(), kept);

        // Other weights of the same length.
        save(&weights, 2.0);
        let (other, mapped) = run(&weights, &packed).unwrap();
        assert_eq!(mapped, 0);
        assert_ne!(other, first);
        assert!(
            run(&weights, &folder.path().join("nowhere").join("w.packed"))
                .is_err_and(|error| error.to_string().contains("nowhere"))
        );
    }
}
