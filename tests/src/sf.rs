//! Running `sf` and reading what it says.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// `sf` with its global arguments: a data folder, or the addresses of running services.
#[derive(Debug, Clone)]
pub struct Sf {
    program: PathBuf,
    global: Vec<String>,
    env: Vec<(String, String)>,
}

impl Sf {
    /// As its environment says.
    pub fn configured() -> Self {
        Self { program: crate::program("sf"), global: vec![], env: vec![] }
    }

    /// Embedded, with state under `data`.
    pub fn embedded(data: &Path) -> Self {
        Self { global: vec!["--data".into(), data.display().to_string()], ..Self::configured() }
    }

    /// Against running services; `servers` is the value of `--server`.
    pub fn remote(servers: &str) -> Self {
        Self { global: vec!["--server".into(), servers.into()], ..Self::configured() }
    }

    /// The same by another program, for example another version of it.
    #[must_use]
    pub fn by(self, program: &Path) -> Self {
        Self { program: program.to_owned(), ..self }
    }

    /// The same with a variable of the environment.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.global).args(arguments).envs(self.env.iter().cloned()).stdin(Stdio::null());
        command
    }

    /// Runs to the end, whatever the exit code.
    pub fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs and must succeed; gives standard output.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "sf {} failed\n{out}\n{err}", arguments.join(" "));
        out.into_owned()
    }

    /// Runs and must succeed; gives standard output as JSON.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let out = self.ok(&[&["--format", "json"], arguments].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("sf {}: {error}\n{out}", arguments.join(" ")))
    }

    /// Runs and must fail with exit code 1; gives standard error.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "sf {}\n{}\n{err}", arguments.join(" "), String::from_utf8_lossy(&output.stdout));
        err
    }

    /// Starts without waiting and without listening.
    pub fn spawn_quietly(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Starts without waiting.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A synthetic delivery of `companies` in `folder/delivery`.
    pub fn delivery(folder: &Path, companies: u32) -> PathBuf {
        let out = folder.join("delivery");
        let companies = companies.to_string();
        Self::embedded(folder).ok(&[
            "datagen",
            "--out",
            out.to_str().unwrap(),
            "--companies",
            &companies,
            "--seed",
            "7",
            "--batch",
            "2511",
        ]);
        out
    }
}
