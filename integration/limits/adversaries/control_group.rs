//! Control groups of the kernel, version 1 and 2: a bound for what processes take of memory or of the processors.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::harness::cluster::binary;

const ROOT: &str = "/sys/fs/cgroup";
/// In microseconds: a share of a processor is a quota of this.
const PERIOD: u64 = 100_000;
/// How long a group may take to be rid of processes that have ended.
const REMOVAL_LIMIT: Duration = Duration::from_secs(5);

/// What a group bounds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// Bytes of memory, page cache among them; beyond it the kernel kills.
    Memory(u64),
    /// Percent of one processor.
    Processor(u64),
}

/// A group with one bound; removed when dropped, after its processes have ended.
pub(super) struct ControlGroup {
    directory: PathBuf,
    unified: bool,
}

impl ControlGroup {
    /// Makes a group below the one that this process is in.
    ///
    /// # Panics
    /// When the system lets nobody make one here, with what was tried.
    pub(super) fn new(name: &str, bound: Bound) -> ControlGroup {
        let name = format!("quorate-{name}-{}", std::process::id());
        let unified = Path::new(ROOT).join("cgroup.controllers").exists();
        let mut tried = Vec::new();
        for parent in parents(unified, bound) {
            // In version 2 a group hands a controller down when it is told to, and has no processes of its own.
            fs::write(parent.join("cgroup.subtree_control"), format!("+{}", controller(bound))).ok();
            let group = ControlGroup { directory: parent.join(&name), unified };
            let made = fs::create_dir(&group.directory).and_then(|()| group.limit(bound));
            match made {
                Ok(()) => return group,
                Err(error) => tried.push(format!("{}: {error}", group.directory.display())),
            }
        }
        panic!(
            "this test needs a control group that bounds {bound:?}, made as root; tried {}",
            if tried.is_empty() { ROOT.to_owned() } else { tried.join("; ") }
        );
    }

    fn limit(&self, bound: Bound) -> std::io::Result<()> {
        let write = |file: &str, text: String| fs::write(self.directory.join(file), text);
        match (bound, self.unified) {
            (Bound::Memory(bytes), true) => {
                write("memory.max", bytes.to_string())?;
                // Nothing may go to a swap instead.
                write("memory.swap.max", "0".to_owned()).or(Ok(()))
            }
            (Bound::Memory(bytes), false) => write("memory.limit_in_bytes", bytes.to_string()),
            (Bound::Processor(percent), true) => {
                write("cpu.max", format!("{} {PERIOD}", percent * PERIOD / 100))
            }
            (Bound::Processor(percent), false) => {
                write("cpu.cfs_period_us", PERIOD.to_string())?;
                write("cpu.cfs_quota_us", (percent * PERIOD / 100).to_string())
            }
        }
    }

    /// Puts a process with all its threads into the group.
    pub(super) fn enter(&self, pid: u32) {
        fs::write(self.directory.join("cgroup.procs"), pid.to_string()).unwrap();
    }

    /// How many of its processes the kernel has killed.
    pub(super) fn kills(&self) -> u64 {
        let file = if self.unified { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.directory.join(file)).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }

    fn members(&self) -> PathBuf {
        self.directory.join("cgroup.procs")
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let until = Instant::now() + REMOVAL_LIMIT;
        while fs::remove_dir(&self.directory).is_err() && self.directory.exists() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn controller(bound: Bound) -> &'static str {
    match bound {
        Bound::Memory(_) => "memory",
        Bound::Processor(_) => "cpu",
    }
}

/// Where a group may be made: below this process's own, or above that.
fn parents(unified: bool, bound: Bound) -> Vec<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let is_it = if unified {
            controllers.is_empty()
        } else {
            controllers.split(',').any(|it| it == controller(bound))
        };
        is_it.then(|| path.trim_start_matches('/').to_owned())
    });
    let root = if unified { PathBuf::from(ROOT) } else { Path::new(ROOT).join(controller(bound)) };
    let own = root.join(own.unwrap_or_default());
    // A container may see another root than the one that its path begins at.
    own.ancestors()
        .take_while(|it| it.starts_with(&root))
        .filter(|it| it.is_dir())
        .map(Path::to_owned)
        .collect()
}

/// A program that runs the broker inside of a group, with so many descriptors. `groups` are those of the nodes in their
/// order; a lone broker takes the first.
pub(super) fn confined(directory: &Path, groups: &[ControlGroup], descriptors: u64) -> PathBuf {
    let path = directory.join("confined");
    let mut script = "#!/bin/sh\ncase \"$*\" in\n".to_owned();
    for (number, group) in groups.iter().enumerate().rev() {
        let pattern = if number == 0 { "*".to_owned() } else { format!("*/node{}/*", number + 1) };
        script += &format!("{pattern}) echo $$ >{} ;;\n", group.members().display());
    }
    script += &format!("esac\nulimit -n {descriptors}\nexec {} \"$@\"\n", binary().display());
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}
