//! The `cnn` command: checks, shows, emits, draws and runs `.cnn` files. Without arguments it runs a demonstration.

mod args;
mod bench;
mod checkpoint;
mod commands;
mod data;
mod draw;
mod evaluation;
mod failure;
mod model;
mod number;
mod output;
mod picture;
mod predictions;
mod report;
mod run;
mod source;
mod table;
mod terminal;
mod trained;
mod training;

use args::{Cli, Command};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return args::explain(&error),
    };
    let format = cli.message_format;
    let result = match cli.command {
        None => commands::demo::run(&args::Demo::default()),
        Some(Command::Demo(args)) => commands::demo::run(&args),
        Some(Command::Check(args)) => commands::check::run(&args, format),
        Some(Command::New(args)) => commands::new::run(&args),
        Some(Command::Fmt(args)) => commands::fmt::run(&args, format),
        Some(Command::Show(args)) => commands::show::run(&args, format),
        Some(Command::Emit(args)) => commands::emit::run(&args, format),
        Some(Command::Graph(args)) => commands::graph::run(&args, format),
        Some(Command::Train(args)) => commands::train::run(&args, format),
        Some(Command::Eval(args)) => commands::eval::run(&args, format),
        Some(Command::LrFind(args)) => commands::lr_find::run(&args, format),
        Some(Command::Predict(args)) => commands::predict::run(&args, format),
        Some(Command::Viz(args)) => commands::viz::run(&args, format),
        Some(Command::Bench(args)) => commands::bench::run(&args, format),
        Some(Command::Tune(args)) => commands::tune::run(&args, format),
        Some(Command::Import(args)) => commands::import::run(&args, format),
        Some(Command::Explain(args)) => commands::explain::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(format),
    }
}
