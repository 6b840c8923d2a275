use super::{EventWriter, Phase, Record, RecordError, Row, read_rows};
use std::fs;
use std::path::Path;

fn row(step: u64) -> Row {
    Row {
        step,
        epoch: step as f64 / 4.0,
        phase: Phase::Train,
        loss: 1.0 / step as f64,
        accuracy: Some(0.5),
        rate: Some(1e-3),
        examples_per_second: None,
        seconds: 2.5,
    }
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn events(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.contains("tfevents")).collect();
    names.sort();
    names
}

/// The bytes that tensorboard 2.21.0's `RecordWriter` writes for the same three events.
#[test]
fn events_have_the_bytes_of_tensorboard() {
    let mut writer = EventWriter::new(Vec::new(), 1.5).unwrap();
    writer.scalars(2.5, 300, &[("loss/train", 0.25), ("rate", 0.001)]).unwrap();
    writer.restart(3.5, 301).unwrap();
    let hex: String = writer.into_inner().iter().map(|byte| format!("{byte:02x}")).collect();
    let want = concat!(
        "1800000000000000a37f4b22",
        "09000000000000f83f1a0d627261696e2e4576656e743a32",
        "2a28646c",
        "2e00000000000000c5cb57fa",
        "09000000000000044010ac022a200a110a0a6c6f73732f747261696e150000803e0a0b0a0472617465156f12833a",
        "11afd5c1",
        "100000000000000095fbfe18",
        "090000000000000c4010ad023a020801",
        "fa9eaf8a",
    );
    assert_eq!(hex, want);
}

#[test]
fn rows_are_in_both_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut record = Record::create(folder.path()).unwrap();
    record.add(&row(2)).unwrap();
    let last = Row { phase: Phase::Validation, accuracy: None, rate: None, examples_per_second: Some(1e4), ..row(4) };
    record.add(&last).unwrap();
    record.sync().unwrap();
    assert_eq!(
        text(folder.path(), "metrics.csv"),
        "step,epoch,phase,loss,accuracy,rate,examples_per_second,seconds\n\
         2,0.5,train,0.5,0.5,0.001,,2.5\n\
         4,1,validation,0.25,,,10000,2.5\n"
    );
    assert_eq!(
        text(folder.path(), "metrics.jsonl").lines().next(),
        Some(
            r#"{"step":2,"epoch":0.5,"phase":"train","loss":0.5,"accuracy":0.5,"rate":0.001,"examples_per_second":null,"seconds":2.5}"#
        )
    );
    assert_eq!(read_rows(folder.path()).unwrap(), [row(2), last]);
}

/// A run to step 6 that goes on from step 4 leaves what an uninterrupted one leaves, wherever the last write stopped.
#[test]
fn a_resumed_record_is_that_of_an_uninterrupted_run() {
    let whole = tempfile::tempdir().unwrap();
    let mut record = Record::create(whole.path()).unwrap();
    (1..=6).for_each(|step| record.add(&row(step)).unwrap());
    for cut in [0, 1, 60] {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::create(folder.path()).unwrap();
        (1..=6).for_each(|step| record.add(&row(step)).unwrap());
        for name in ["metrics.csv", "metrics.jsonl"] {
            let text = text(folder.path(), name);
            fs::write(folder.path().join(name), &text[..text.len() - cut]).unwrap();
        }
        let mut record = Record::resume(folder.path(), 4).unwrap();
        (5..=6).for_each(|step| record.add(&row(step)).unwrap());
        for name in ["metrics.csv", "metrics.jsonl"] {
            assert_eq!(text(folder.path(), name), text(whole.path(), name), "{name}");
        }
        // The later file comes later in the order of names, even within one second.
        let names = events(folder.path());
        assert_eq!(names.len(), 2);
        let sizes = names.iter().map(|name| fs::metadata(folder.path().join(name)).unwrap().len());
        assert!(sizes.is_sorted_by(|first, second| first > second), "{names:?}");
    }
}

/// A file that somebody deleted begins anew; the other one goes on.
#[test]
fn a_record_goes_on_without_a_file() {
    let rows = "step,epoch,phase,loss,accuracy,rate,examples_per_second,seconds\n";
    for (deleted, csv, json) in [
        (&["metrics.jsonl"][..], "1,0.25,train,1,0.5,0.001,,2.5\n3,0.75,train,0.3333333333333333,0.5,0.001,,2.5\n", 1),
        (&["metrics.csv"], "1,0.25,train,1,0.5,0.001,,2.5\n3,0.75,train,0.3333333333333333,0.5,0.001,,2.5\n", 2),
        (&["metrics.jsonl", "metrics.csv"], "3,0.75,train,0.3333333333333333,0.5,0.001,,2.5\n", 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::create(folder.path()).unwrap();
        (1..=2).for_each(|step| record.add(&row(step)).unwrap());
        deleted.iter().for_each(|name| fs::remove_file(folder.path().join(name)).unwrap());
        Record::resume(folder.path(), 1).unwrap().add(&row(3)).unwrap();
        assert_eq!(text(folder.path(), "metrics.csv"), format!("{rows}{csv}"), "{deleted:?}");
        assert_eq!(read_rows(folder.path()).unwrap().len(), json, "{deleted:?}");
    }
}

#[test]
fn a_loss_that_is_not_finite_is_kept_as_such() {
    for loss in [f64::NAN, f64::INFINITY] {
        let folder = tempfile::tempdir().unwrap();
        Record::create(folder.path()).unwrap().add(&Row { loss, ..row(1) }).unwrap();
        assert!(text(folder.path(), "metrics.jsonl").contains("\"loss\":null"));
        assert!(read_rows(folder.path()).unwrap()[0].loss.is_nan());
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read_rows(folder.path()), Err(RecordError::Io { action: "read", .. })));
    assert!(matches!(Record::create(&folder.path().join("none")), Err(RecordError::Io { action: "write", .. })));
    drop(Record::create(folder.path()).unwrap());
    assert!(matches!(Record::create(folder.path()), Err(RecordError::Io { action: "write", .. })));
    for (lines, line) in [("{}\n", 1), ("\n{\"step\":1}\n", 2), ("\u{1}\n", 1)] {
        fs::write(folder.path().join("metrics.jsonl"), lines).unwrap();
        let error = read_rows(folder.path()).unwrap_err();
        assert!(matches!(error, RecordError::Row { line: found, .. } if found == line), "{lines:?}: {error}");
    }
}
