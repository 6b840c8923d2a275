//! `cnn` without arguments: LeNet on real pictures, with everything inside this program.

use crate::args::Demo;
use crate::failure::Failure;
use crate::number::percent;
use crate::output::write_file;
use crate::predictions::{Prediction, rank};
use crate::{table, terminal};
use cnn::{CompileOptions, Network, Session, Tensor};
use cnn_dsl::{Settings, Sources};
use cnn_models::fashion_mnist::{CLASSES, Picture, pictures};
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many pictures are drawn, and how many are saved.
const DRAWN: usize = 6;

/// Compiles the language's LeNet, loads its weights, classifies the pictures and tells how it went.
pub fn run(args: &Demo) -> Result<(), Failure> {
    let mut out = stdout().lock();
    writeln!(out, "cnn {}: LeNet on {} pictures of clothes\n", env!("CARGO_PKG_VERSION"), pictures().len())?;

    let started = Instant::now();
    let network = compile()?;
    let compiled = started.elapsed();
    writeln!(
        out,
        "models/lenet.cnn, compiled in {}:\n\n{}",
        milliseconds(compiled),
        table::layers(&network, table::Options::default(), None)
    )?;

    let started = Instant::now();
    let weights = cnn_models::weights::lenet()?;
    let mut session = Session::from_network(&network, &weights, &CompileOptions::default())?;
    writeln!(out, "weights loaded and packed for this CPU in {}\n", milliseconds(started.elapsed()))?;

    let results = classify(&mut session)?;
    write!(out, "{}", drawings(&results))?;
    let right = results.iter().filter(|result| result.best().index == result.picture.label).count();
    let mut times: Vec<Duration> = results.iter().map(|result| result.time).collect();
    times.sort_unstable();
    writeln!(
        out,
        "{right} of {} right: {}; {:.3} ms per picture (median, one at a time, one thread)\n",
        results.len(),
        percent(right as f64 / results.len().max(1) as f64),
        1000.0 * times.get(times.len() / 2).copied().unwrap_or_default().as_secs_f64(),
    )?;
    if let Some(folder) = &args.save {
        for kept in save(folder)? {
            writeln!(out, "kept {}, which differs from what would be written", kept.display())?;
        }
    }
    write!(out, "{}", next_steps(args.save.as_deref()))?;
    Ok(())
}

struct Classified {
    picture: Picture,
    ranked: Vec<Prediction>,
    time: Duration,
}

impl Classified {
    fn best(&self) -> &Prediction {
        &self.ranked[0]
    }
}

fn compile() -> Result<Network, Failure> {
    let sources = Sources::new("models/lenet.cnn", cnn_models::sources::LENET);
    let compilation = cnn_dsl::compile(&sources, &Settings::default());
    let message = || Failure::Message(cnn_dsl::render(&compilation.diagnostics, &sources, cnn_dsl::Style::Plain));
    compilation.models.first().cloned().ok_or_else(message)
}

/// Classifies every picture on its own, twice: the first round warms up.
fn classify(session: &mut Session) -> Result<Vec<Classified>, Failure> {
    let mut results = Vec::new();
    for round in 0..2 {
        for picture in pictures() {
            let batch = Tensor::new(&[1, 1, Picture::SIZE, Picture::SIZE], picture.to_floats())?;
            let started = Instant::now();
            let outputs = session.run(&[&batch])?;
            let time = started.elapsed();
            if round == 1 {
                results.push(Classified { picture: *picture, ranked: rank(outputs.get(0).data(), false), time });
            }
        }
    }
    Ok(results)
}

/// The first pictures, each with what was said and what is true.
fn drawings(results: &[Classified]) -> String {
    let tiles: Vec<Vec<String>> = results
        .iter()
        .take(DRAWN)
        .map(|result| {
            let mut tile = terminal::draw(result.picture.pixels, Picture::SIZE, terminal::stdout_has_colour());
            let (best, label) = (result.best(), result.picture.label);
            let said = format!("{} ({})", class(best.index), percent(best.probability));
            let truth = if best.index == label { "right".into() } else { format!("wrong: {}", class(label)) };
            tile.extend([said, truth].map(|line| format!("{line:width$}", width = Picture::SIZE)));
            tile
        })
        .collect();
    terminal::gallery(&tiles, Picture::SIZE, terminal::width())
}

fn class(index: usize) -> &'static str {
    CLASSES.get(index).copied().unwrap_or("?")
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", 1000.0 * time.as_secs_f64())
}

/// Writes what the demonstration used into a folder, as files for the other commands. Files that are there already
/// and differ are kept, since their owner may have changed them; their names are returned.
fn save(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::Message(format!("cannot create `{}`: {error}", folder.display())))?;
    let mut kept = Vec::new();
    let mut write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        match std::fs::read(&path) {
            Ok(old) if old == bytes => Ok(()),
            Ok(_) => {
                kept.push(path);
                Ok(())
            }
            Err(_) => write_file(&path, bytes),
        }
    };
    write("lenet.cnn", cnn_models::sources::LENET.as_bytes())?;
    write("lenet.safetensors", cnn_models::weights::LENET)?;
    write("classes.txt", (CLASSES.join("\n") + "\n").as_bytes())?;
    for (index, picture) in pictures().iter().take(DRAWN).enumerate() {
        let mut png = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        let size = Picture::SIZE as u32;
        image::ImageEncoder::write_image(encoder, picture.pixels, size, size, image::ExtendedColorType::L8)
            .map_err(Failure::new)?;
        write(&format!("{index}-{}.png", class(picture.label).replace(' ', "-")), &png)?;
    }
    Ok(kept)
}

fn next_steps(folder: Option<&Path>) -> String {
    match folder {
        None => "\
Next:
  cnn demo --save lenet        this network, its weights and some pictures as files
  cnn show models/lenet.cnn    its table; change a line of the file and see what happens
  cnn emit models/lenet.cnn    the Rust code it becomes
  cnn --help                   everything else
"
        .into(),
        Some(folder) => {
            let folder = folder.display();
            format!(
                "\
Next, with the files in {folder}:
  cnn predict {folder}/lenet.cnn --weights {folder}/lenet.safetensors --classes {folder}/classes.txt {folder}/*.png
  cnn show {folder}/lenet.cnn    its table; change a line of the file and see what happens
  cnn emit {folder}/lenet.cnn    the Rust code it becomes
"
            )
        }
    }
}
