//! The Java project, built for a version of the client library below the target directory, and its programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

static BUILDING: Mutex<()> = Mutex::new(());

/// The two packages that JMS has had.
#[derive(Clone, Copy)]
pub(super) enum Flavour {
    /// `javax.jms`, of the clients 5.x.
    Javax,
    /// `jakarta.jms`, of the clients 6.x.
    Jakarta,
}

impl Flavour {
    /// The version of the client library, if the environment names one in the place of the newest, which the project names.
    fn version(self) -> Option<String> {
        let name = match self {
            Flavour::Javax => "QUORATE_JMS_JAVAX",
            Flavour::Jakarta => "QUORATE_JMS_JAKARTA",
        };
        std::env::var(name).ok()
    }

    /// A program of the project, built where it was not; its standard output is a pipe.
    pub(super) fn program(self, class: &str) -> Command {
        let place = self.build();
        let mut command = Command::new("java");
        // Several run beside each other and beside the nodes.
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-cp"]);
        command.arg(format!("{0}/classes:{0}/lib/*", place.display()));
        command.arg(format!("quorate.jms.{class}")).stdout(Stdio::piped());
        command
    }

    fn build(self) -> PathBuf {
        let _one_at_a_time = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version();
        let name = match self {
            Flavour::Javax => "javax",
            Flavour::Jakarta => "jakarta",
        };
        let name = version.as_deref().unwrap_or(name);
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jms").join(name);
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/jms/client/pom.xml");
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "--file"]).arg(project).arg("process-classes");
        maven.arg(format!("-Dplace={}", place.display()));
        if matches!(self, Flavour::Jakarta) {
            maven.arg("-Pjakarta");
        }
        maven.args(version.map(|version| format!("-Dactivemq.version={version}")));
        let output = maven.output().unwrap_or_else(|error| panic!("mvn: {error}"));
        assert!(output.status.success(), "{maven:?}: {}", String::from_utf8_lossy(&output.stdout));
        place
    }
}
