//! What the runs of each fault cost so far: the table at the top of a cluster's column.

use crate::report::{self, RunResult};

/// The runs of one fault so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statistic {
    /// The fault's name.
    pub fault: String,
    /// Runs that are over.
    pub count: usize,
    /// Those of them with a complaint of the verdict.
    pub failures: usize,
    /// The outage of each run in which the writes came back, in ms; 0 where a bystander was hit.
    outages: Vec<u64>,
}

impl Statistic {
    /// No run of this fault yet.
    #[must_use]
    pub fn of(fault: &str) -> Self {
        Self { fault: fault.to_owned(), ..Self::default() }
    }

    /// Counts one more run.
    pub fn add(&mut self, result: &RunResult) {
        self.count += 1;
        if !report::verdict(std::slice::from_ref(result)).is_empty() {
            self.failures += 1;
        }
        if result.failed.is_none() {
            self.outages.extend(result.outage_ms);
        }
    }

    /// The mean outage in seconds.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.seconds().sum();
        (!self.outages.is_empty()).then(|| sum / count(self.outages.len()))
    }

    /// The standard deviation of the outage in seconds, that of a sample: there is none of a single run.
    #[must_use]
    pub fn deviation(&self) -> Option<f64> {
        let mean = self.mean()?;
        let squares: f64 = self.seconds().map(|s| (s - mean).powi(2)).sum();
        (self.outages.len() > 1).then(|| (squares / count(self.outages.len() - 1)).sqrt())
    }

    /// The shortest outage in seconds.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        self.seconds().reduce(f64::min)
    }

    /// The longest outage in seconds.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        self.seconds().reduce(f64::max)
    }

    fn seconds(&self) -> impl Iterator<Item = f64> {
        #[expect(clippy::cast_precision_loss, reason = "outages are minutes at most")]
        self.outages.iter().map(|ms| *ms as f64 / 1000.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "runs are thousands at most")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::testing::result;

    fn after(outages: &[u64]) -> Statistic {
        let mut statistic = Statistic::default();
        for ms in outages {
            statistic.add(&result("postgres-kill", Some(*ms)));
        }
        statistic
    }

    #[test]
    fn figures_computed_by_hand() {
        // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 9+1+1+1+0+0+4+16 = 32, 32/7 = 4.571, root 2.138.
        let statistic = after(&[2000, 4000, 4000, 4000, 5000, 5000, 7000, 9000]);
        assert_eq!((statistic.count, statistic.failures), (8, 0));
        assert_eq!(statistic.mean(), Some(5.0));
        assert!((statistic.deviation().expect("of eight") - 2.138).abs() < 0.001);
        assert_eq!((statistic.min(), statistic.max()), (Some(2.0), Some(9.0)));
    }

    #[test]
    fn one_run_has_no_deviation_and_none_has_nothing() {
        assert_eq!((after(&[3100]).mean(), after(&[3100]).deviation()), (Some(3.1), None));
        let none = Statistic::default();
        assert_eq!((none.mean(), none.deviation(), none.min(), none.max()), (None, None, None, None));
    }

    #[test]
    fn a_run_that_failed_is_counted_and_its_figure_is_not() {
        let mut statistic = after(&[3000]);
        let mut failed = result("postgres-kill", Some(90_000));
        failed.failed = Some("no primary".to_owned());
        statistic.add(&failed);
        // Not restored, though it had to be: a complaint without a figure.
        statistic.add(&result("postgres-kill", None));
        assert_eq!((statistic.count, statistic.failures), (3, 2));
        assert_eq!(statistic.mean(), Some(3.0));
    }
}
