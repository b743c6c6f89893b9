//! Median, mean, spread.

use serde::Serialize;

/// What a series of values in ms says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// How many values.
    pub count: usize,
    pub min: u64,
    pub median: u64,
    pub mean: f64,
    /// Of the sample (n − 1); `None` of a single value.
    pub std_dev: Option<f64>,
    pub max: u64,
}

impl Statistics {
    /// Of these values; `None` when there are none.
    #[must_use]
    pub fn of(values: &[u64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let count = float(sorted.len() as u64);
        let mean = sorted.iter().map(|v| float(*v)).sum::<f64>() / count;
        let squares: f64 = sorted.iter().map(|v| (float(*v) - mean).powi(2)).sum();
        let std_dev = (sorted.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        Some(Self { count: sorted.len(), min, median: median(&sorted)?, mean, std_dev, max })
    }
}

/// The middle of sorted values; of an even number the mean of the two in the middle.
#[must_use]
pub fn median(sorted: &[u64]) -> Option<u64> {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(sorted[middle - 1].midpoint(sorted[middle])),
    }
}

/// Times and counts of a test are far below 2^52.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "see above")]
pub fn float(value: u64) -> f64 {
    value as f64
}

/// Milliseconds as seconds with one decimal.
#[must_use]
pub fn seconds(ms: u64) -> String {
    in_seconds(float(ms))
}

/// The same of a mean.
#[must_use]
pub fn in_seconds(ms: f64) -> String {
    format!("{:.1}", ms / 1000.0)
}
