//! Whether figures grow, by a straight line through them.

use std::time::Duration;

/// Memory in KiB and descriptors, each with when it was looked at.
#[derive(Debug, Default)]
pub(super) struct Figures(Vec<(f64, f64, usize)>);

/// Below this the noise of allocation and of the store's pages is larger than what is looked for.
const LONG: f64 = 30.0 * 60.0;

impl Figures {
    pub(super) fn note(&mut self, at: Duration, kibibytes: u64, descriptors: usize) {
        self.0
            .push((at.as_secs_f64(), kibibytes as f64, descriptors));
    }

    /// What came after the first third: until then caches and pools fill.
    fn warm(&self) -> &[(f64, f64, usize)] {
        &self.0[self.0.len() / 3..]
    }

    /// KiB an hour, by least squares.
    fn slope(&self) -> f64 {
        let warm = self.warm();
        let count = warm.len() as f64;
        let (at, memory) = warm
            .iter()
            .fold((0.0, 0.0), |(at, memory), one| (at + one.0, memory + one.1));
        let (at, memory) = (at / count, memory / count);
        let above: f64 = warm.iter().map(|one| (one.0 - at) * (one.1 - memory)).sum();
        let below: f64 = warm.iter().map(|one| (one.0 - at).powi(2)).sum();
        if below > 0.0 {
            above / below * 3600.0
        } else {
            0.0
        }
    }

    pub(super) fn summary(&self) -> String {
        let last = self.0.len().saturating_sub(1);
        let tenths = (0..=10).filter_map(|tenth| self.0.get(last * tenth / 10));
        let curve: Vec<String> = tenths.map(|one| format!("{:.1}", one.1 / 1024.0)).collect();
        let files = self.warm().iter().map(|one| one.2);
        format!(
            "memory in MiB, by tenths of the run: {}; {:+.2} MiB an hour after the first third; {} to {} descriptors",
            curve.join(" "),
            self.slope() / 1024.0,
            files.clone().min().unwrap_or(0),
            files.max().unwrap_or(0)
        )
    }

    /// Fails where they grow. A short run tells growth by the request alone, a long one by the hour.
    pub(super) fn are_flat(&self) {
        let long = self.0.last().is_some_and(|last| last.0 >= LONG);
        let most = if long { 1024.0 } else { 8.0 * 1024.0 };
        let span = self.0.last().map_or(0.0, |last| last.0) / 3600.0;
        let grown = if long {
            self.slope()
        } else {
            self.slope() * span
        };
        assert!(grown < most, "{}", self.summary());
    }
}

#[test]
fn a_line_is_found() {
    let mut figures = Figures::default();
    for second in 0..600_u64 {
        let noise = [0, 7, 3, 9, 1][second as usize % 5];
        figures.note(Duration::from_secs(second), 50_000 + second + noise, 10);
    }
    assert!(
        (figures.slope() - 3600.0).abs() < 20.0,
        "{}",
        figures.summary()
    );
}
