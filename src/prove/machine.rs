//! The machine that a proof ran on, as far as a reader has to know it. Nothing that tells whose it is.

use std::fs;

use serde::Serialize;

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The operating system.
    pub system: &'static str,
    /// The processor's architecture.
    pub architecture: &'static str,
    /// How many processors this process may use.
    pub processors: usize,
    /// The processor's name, where the system tells.
    pub processor: Option<String>,
    /// Bytes of memory, where the system tells.
    pub memory_bytes: Option<u64>,
    /// The kernel's release, where the system tells.
    pub kernel: Option<String>,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let after = |text: String, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
        };
        let memory = after(file("/proc/meminfo"), "MemTotal");
        let kibibytes = memory.and_then(|memory| memory.split(' ').next()?.parse().ok());
        let kernel = file("/proc/sys/kernel/osrelease");
        Self {
            system: std::env::consts::OS,
            architecture: std::env::consts::ARCH,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            processor: after(file("/proc/cpuinfo"), "model name"),
            memory_bytes: kibibytes.map(|kibibytes: u64| kibibytes.saturating_mul(1024)),
            kernel: Some(kernel.trim().to_owned()).filter(|kernel| !kernel.is_empty()),
        }
    }

    /// In a line.
    pub(super) fn words(&self) -> String {
        let mut words = format!(
            "{} {}, {} processors",
            self.system, self.architecture, self.processors
        );
        if let Some(processor) = &self.processor {
            words += &format!(" ({processor})");
        }
        if let Some(bytes) = self.memory_bytes {
            words += &format!(", {} MiB of memory", bytes >> 20);
        }
        if let Some(kernel) = &self.kernel {
            words += &format!(", kernel {kernel}");
        }
        words
    }
}
