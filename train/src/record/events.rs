//! TensorBoard's event files: records of protocol buffers, each with checksums.
//!
//! The format is TensorFlow's: `tensorflow/core/lib/io/record_writer.h` and `tensorflow/core/util/event.proto`. What a
//! run needs of it are numbers with a tag, and the mark of a new start, so the few fields are written by hand.

use std::io::{self, Write};

/// Writes the events of a run, in the order in which they happen.
///
/// ```
/// use cnn_train::record::EventWriter;
///
/// # fn main() -> std::io::Result<()> {
/// let mut events = EventWriter::new(Vec::new(), 1_700_000_000.0)?;
/// events.scalars(1_700_000_001.5, 100, &[("loss/train", 0.25), ("rate", 1e-3)])?;
/// let bytes = events.into_inner();
/// assert_eq!(&bytes[23..36], b"brain.Event:2".as_slice());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct EventWriter<W> {
    out: W,
}

impl<W: Write> EventWriter<W> {
    /// Begins a file at a time in seconds since 1970.
    ///
    /// # Errors
    /// When `out` cannot be written; so do the other functions.
    pub fn new(out: W, time: f64) -> io::Result<Self> {
        let mut writer = Self { out };
        let mut event = Message::default();
        event.double(event::WALL_TIME, time);
        event.bytes(event::FILE_VERSION, b"brain.Event:2");
        writer.record(&event.0)?;
        Ok(writer)
    }

    /// The numbers of a step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalars(&mut self, time: f64, step: u64, values: &[(&str, f32)]) -> io::Result<()> {
        let mut summary = Message::default();
        for (tag, number) in values {
            let mut value = Message::default();
            value.bytes(value::TAG, tag.as_bytes());
            value.float(value::SIMPLE_VALUE, *number);
            summary.bytes(summary::VALUE, &value.0);
        }
        let mut event = Message::default();
        event.double(event::WALL_TIME, time);
        event.integer(event::STEP, step);
        event.bytes(event::SUMMARY, &summary.0);
        self.record(&event.0)
    }

    /// A run that goes on: `step` is the first that it does, and TensorBoard forgets what earlier files say of it and of
    /// later ones.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn restart(&mut self, time: f64, step: u64) -> io::Result<()> {
        const START: u64 = 1;
        let mut log = Message::default();
        log.integer(session_log::STATUS, START);
        let mut event = Message::default();
        event.double(event::WALL_TIME, time);
        event.integer(event::STEP, step);
        event.bytes(event::SESSION_LOG, &log.0);
        self.record(&event.0)
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }

    /// What is written to.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// A record: its length, the length's checksum, the data, the data's checksum. In one write, so that a program that
    /// is killed leaves whole records.
    fn record(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut bytes = Vec::with_capacity(data.len() + 16);
        bytes.extend(length);
        bytes.extend(masked_checksum(&length).to_le_bytes());
        bytes.extend(data);
        bytes.extend(masked_checksum(data).to_le_bytes());
        self.out.write_all(&bytes)
    }
}

/// CRC-32C, rotated and shifted, so that the checksum of data that has checksums in it is none of those.
fn masked_checksum(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// The numbers of the fields of `Event`.
mod event {
    pub const WALL_TIME: u64 = 1;
    pub const STEP: u64 = 2;
    pub const FILE_VERSION: u64 = 3;
    pub const SUMMARY: u64 = 5;
    pub const SESSION_LOG: u64 = 7;
}

/// The number of the field of `Summary`.
mod summary {
    pub const VALUE: u64 = 1;
}

/// The numbers of the fields of `Summary.Value`.
mod value {
    pub const TAG: u64 = 1;
    pub const SIMPLE_VALUE: u64 = 2;
}

/// The number of the field of `SessionLog`.
mod session_log {
    pub const STATUS: u64 = 1;
}

/// A protocol buffer in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn integer(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    /// Seven bits a byte, the lowest first; the eighth says that there are more.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}
