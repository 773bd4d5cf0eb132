//! The families of the process, by the names that all of Prometheus's libraries give them.

use std::fs;

use rustix::time::{ClockId, clock_gettime};

use super::text::{Family, Form, Kind, sample};

/// All of them.
pub(super) const FAMILIES: [Family; 7] = [
    Family { name: "process_cpu_seconds_total", kind: Kind::Counter, help: "Processor time of the process." },
    Family { name: "process_resident_memory_bytes", kind: Kind::Gauge, help: "Memory that is resident." },
    Family { name: "process_virtual_memory_bytes", kind: Kind::Gauge, help: "Address space." },
    Family { name: "process_threads", kind: Kind::Gauge, help: "Threads." },
    Family { name: "process_open_fds", kind: Kind::Gauge, help: "Open file descriptors." },
    Family { name: "process_max_fds", kind: Kind::Gauge, help: "File descriptors that may be open." },
    Family { name: "process_start_time_seconds", kind: Kind::Gauge, help: "Start, in seconds since 1970." },
];

/// Adds all of them. It asks the system: not for the threads of tasks, as it counts every descriptor.
pub(super) fn fill(out: &mut String, form: Form, started_ms: i64) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let kib = |field: &str| number(&status, field).map(|kib| kib * 1024.0);
    let values = [
        Some(cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9),
        kib("VmRSS:"),
        kib("VmSize:"),
        number(&status, "Threads:"),
        // One of them is the directory that is being read.
        fs::read_dir("/proc/self/fd").ok().map(|open| open.count().saturating_sub(1) as f64),
        number(&limits, "Max open files"),
        Some(started_ms as f64 / 1e3),
    ];
    for (family, value) in FAMILIES.iter().zip(values) {
        form.begin(out, family);
        value.into_iter().for_each(|value| sample(out, family.name, &[], value));
    }
}

/// The number behind a line's name.
fn number(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}
