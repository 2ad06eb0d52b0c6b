//! `promptgate completions` and `promptgate man`: what a shell and `man` know of this program, from its own description.

use std::io;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::{Shell, generate};

use super::{UNREADABLE, say};

#[derive(Debug, Args)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub fn run(&self, mut program: Command) -> ExitCode {
        let mut script = Vec::new();
        generate(self.shell, &mut program, "promptgate", &mut script);
        say(io::stdout(), String::from_utf8_lossy(&script).trim_end());
        ExitCode::SUCCESS
    }
}

/// One page with every command, in roff.
pub(super) fn man(mut program: Command) -> ExitCode {
    program.build();
    let mut page = Vec::new();
    let mut written = clap_mangen::Man::new(program.clone()).render(&mut page);
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        let manual = clap_mangen::Man::new(command.clone());
        written = written.and_then(|()| manual.render_synopsis_section(&mut page));
        written = written.and_then(|()| manual.render_description_section(&mut page));
        written = written.and_then(|()| manual.render_options_section(&mut page));
    }
    match written {
        Ok(()) => {
            say(io::stdout(), String::from_utf8_lossy(&page).trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(io::stderr(), &error.to_string());
            ExitCode::from(UNREADABLE)
        }
    }
}
