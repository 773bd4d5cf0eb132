//! What the control groups of this process let it have of the machine's memory, by the kernel's files (version 1 and 2).

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes of memory that this process may use: the machine's, or less if one of its control groups has a lower limit.
pub fn memory_total() -> u64 {
    let info = rustix::system::sysinfo();
    let machine = info.totalram.saturating_mul(u64::from(info.mem_unit));
    let read = |path: &Path| fs::read_to_string(path).ok();
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let mounts = read(Path::new("/proc/self/mountinfo")).unwrap_or_default();
    memory_limit(&groups, &mounts, read).map_or(machine, |limit| limit.min(machine))
}

/// The lowest memory limit of the groups that `/proc/self/cgroup` names and of those above them, found by
/// `/proc/self/mountinfo`; none if there is no limit.
fn memory_limit(groups: &str, mounts: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    let mounts: Vec<Mount<'_>> = mounts.lines().filter_map(Mount::parse).collect();
    let limits = groups.lines().filter_map(Membership::parse).flat_map(|group| {
        let mount = mounts.iter().find(|mount| mount.holds(&group));
        mount.map_or_else(Vec::new, |mount| mount.directories(group.path)).into_iter().map(move |directory| {
            let file = if group.is_unified { "memory.max" } else { "memory.limit_in_bytes" };
            directory.join(file)
        })
    });
    // "max" is no number; what version 1 says for it is more than any machine has.
    limits.filter_map(|file| read(&file)?.trim().parse::<u64>().ok()).min()
}

/// A line of `/proc/self/cgroup`: `hierarchy:controllers:path`.
#[derive(Clone, Copy)]
struct Membership<'a> {
    /// Version 2.
    is_unified: bool,
    path: &'a str,
}

impl<'a> Membership<'a> {
    /// None for a group that does not limit memory.
    fn parse(line: &'a str) -> Option<Membership<'a>> {
        let mut fields = line.splitn(3, ':');
        let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let is_unified = number == "0" && controllers.is_empty();
        (is_unified || controllers.split(',').any(|it| it == "memory"))
            .then_some(Membership { is_unified, path })
    }
}

/// A line of `/proc/self/mountinfo` for a control group's file system.
struct Mount<'a> {
    is_unified: bool,
    /// Which group stands at the mount's root.
    root: &'a str,
    place: PathBuf,
}

impl<'a> Mount<'a> {
    /// None for a mount that says nothing of memory.
    fn parse(line: &'a str) -> Option<Mount<'a>> {
        let (before, after) = line.split_once(" - ")?;
        let mut before = before.split(' ').skip(3);
        let (root, place) = (before.next()?, before.next()?);
        let mut after = after.split(' ');
        let (kind, options) = (after.next()?, after.nth(1)?);
        let is_unified = kind == "cgroup2";
        let of_memory = is_unified || kind == "cgroup" && options.split(',').any(|it| it == "memory");
        // A blank in a path is written as an octal number.
        let place = PathBuf::from(place.replace("\\040", " "));
        of_memory.then_some(Mount { is_unified, root, place })
    }

    fn holds(&self, group: &Membership<'_>) -> bool {
        self.is_unified == group.is_unified
    }

    /// The directories of a group and of those above it, as far as they can be seen. Inside of a container the group may be
    /// told by a path of the machine's while the mount begins at the group itself.
    fn directories(&self, group: &str) -> Vec<PathBuf> {
        let below =
            Path::new(group).strip_prefix(self.root).ok().or_else(|| Path::new(group).strip_prefix("/").ok());
        let below = below.filter(|it| !it.starts_with("..")).unwrap_or(Path::new(""));
        below.ancestors().map(|it| self.place.join(it)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    const V1_MOUNTS: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
                             32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
                             35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory";

    fn limit(groups: &str, mounts: &str, files: &[(&str, &str)]) -> Option<u64> {
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| format!("{text}\n"))
        };
        memory_limit(groups, mounts, read)
    }

    #[test]
    fn version_2_says_it_in_memory_max_of_the_group_or_of_one_above() {
        let groups = "0::/system.slice/quorate.service\n";
        let (own, above) = (
            "/sys/fs/cgroup/system.slice/quorate.service/memory.max",
            "/sys/fs/cgroup/system.slice/memory.max",
        );
        assert_eq!(limit(groups, V2_MOUNT, &[(own, "419430400"), (above, "max")]), Some(400 << 20));
        assert_eq!(limit(groups, V2_MOUNT, &[(own, "max"), (above, "1073741824")]), Some(1 << 30));
        assert_eq!(limit(groups, V2_MOUNT, &[(own, "419430400"), (above, "209715200")]), Some(200 << 20));
        assert_eq!(limit(groups, V2_MOUNT, &[(own, "max"), (above, "max")]), None);
        assert_eq!(limit(groups, V2_MOUNT, &[]), None, "the root group has no such file");
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        assert_eq!(limit("0::/\n", V2_MOUNT, &[("/sys/fs/cgroup/memory.max", "268435456")]), Some(256 << 20));
        let mount = "1 2 0:26 /docker/12ab /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory";
        let file = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456");
        assert_eq!(limit("4:memory:/docker/12ab\n", mount, &[file]), Some(256 << 20));
        let mount = "1 2 0:26 / /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory";
        assert_eq!(
            limit("4:memory:/docker/12ab\n", mount, &[file]),
            Some(256 << 20),
            "the path is the machine's"
        );
        assert_eq!(limit("0::/../other\n", V2_MOUNT, &[("/sys/fs/cgroup/memory.max", "9")]), Some(9));
    }

    #[test]
    fn version_1_says_it_in_limit_in_bytes() {
        let groups = "9:name=systemd:/\n4:memory:/a/b\n1:cpu,cpuacct:/\n";
        let file = |path: &str| format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes");
        let (own, above, root) = (file("/a/b"), file("/a"), file(""));
        let endless = "9223372036854771712";
        let files = [(own.as_str(), "419430400"), (above.as_str(), endless), (root.as_str(), endless)];
        assert_eq!(limit(groups, V1_MOUNTS, &files), Some(400 << 20));
        assert!(limit(groups, V1_MOUNTS, &files[1..]) > Some(1 << 60), "no machine has so much");
    }

    #[test]
    fn where_both_versions_are_mounted_the_lower_limit_counts() {
        let groups = "4:memory:/a\n0::/\n";
        let mounts = format!("{V1_MOUNTS}\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw");
        let file = ("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "419430400");
        assert_eq!(limit(groups, &mounts, &[file]), Some(400 << 20));
        let unified = ("/sys/fs/cgroup/unified/memory.max", "300");
        assert_eq!(limit(groups, &mounts, &[file, unified]), Some(300));
    }

    #[test]
    fn texts_that_nobody_expects_say_nothing() {
        assert_eq!(limit("", "", &[]), None);
        assert_eq!(limit("0:\n::\n4:memory\n0::/a", "a b c\n - \n1 2 3 / /x - cgroup2\n", &[]), None);
        assert_eq!(limit("0::/a", V2_MOUNT, &[("/sys/fs/cgroup/a/memory.max", "-1")]), None);
    }

    #[test]
    fn this_process_has_some_memory() {
        assert!(memory_total() > 16 << 20);
    }
}
