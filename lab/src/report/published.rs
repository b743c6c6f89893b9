//! The published figures of the Tuchanka test bed.

use serde::Serialize;

/// Where the figures are from.
pub const SOURCE: &str = "Tuchanka test bed, published figures, random node as target, other hardware: CentOS 7, PostgreSQL 11, PAF";

/// What may be compared, and what may not.
pub const COMPARABLE: &str = "Tuchanka breaks a random node, so that its means count bystanders, whose loss costs little; here \
the fault hits the primary unless the target says otherwise. Its reaction ends when five rounds of a write through the primary's \
float IP were read back through a standby's; the outage here ends with the first write that stays good. It ran on other hardware, \
in virtual machines with CentOS 7 and PostgreSQL 11; here containers share one kernel and one host. The order of \
magnitude can be compared, and where one of the two never came back; seconds can not.";

/// The mean and the spread of a fault on a layout, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Published {
    /// Mean, standard deviation, number of runs.
    Noticed { mean_s: u32, std_dev_s: u32, count: u32 },
    /// The cluster never noticed it.
    NeverNoticed,
}

use Published::NeverNoticed;

const fn seen(mean_s: u32, std_dev_s: u32, count: u32) -> Published {
    Published::Noticed { mean_s, std_dev_s, count }
}

/// The layouts of the columns of [`TABLE`].
pub const LAYOUTS: [&str; 4] = ["packed", "classic", "three-centres", "many-replicas"];

/// Each fault by our name.
pub const TABLE: [(&str, [Published; 4]); 9] = [
    ("fork-bomb", [seen(27, 8, 20), seen(31, 13, 16), seen(26, 6, 12), seen(42, 22, 22)]),
    ("postgres-kill", [seen(31, 10, 11), seen(14, 7, 14), seen(15, 14, 16), seen(6, 1, 13)]),
    ("postgres-stop", [seen(125, 7, 17), seen(237, 101, 13), seen(130, 156, 20), seen(85, 141, 14)]),
    ("power-off", [seen(43, 8, 12), seen(39, 8, 21), seen(23, 18, 17), seen(15, 23, 15)]),
    ("reset", [seen(49, 6, 5), seen(39, 7, 18), seen(16, 17, 21), seen(6, 1, 17)]),
    ("sbd-stop", [seen(50, 6, 11), seen(47, 8, 13), seen(14, 9, 14), seen(69, 8, 21)]),
    ("shut-down", [seen(22, 2, 15), seen(19, 5, 14), seen(21, 9, 18), seen(21, 10, 9)]),
    ("unlink", [seen(41, 6, 12), seen(42, 6, 18), seen(26, 18, 16), seen(47, 31, 18)]),
    ("out-of-space", [NeverNoticed; 4]),
];

/// What was published of a fault on a layout.
#[must_use]
pub fn of(fault: &str, layout: &str) -> Option<Published> {
    let column = LAYOUTS.iter().position(|l| *l == layout)?;
    TABLE.iter().find(|(name, _)| *name == fault).map(|(_, row)| row[column])
}

impl std::fmt::Display for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Noticed { mean_s, std_dev_s, count } => write!(f, "{mean_s} ± {std_dev_s} ({count})"),
            NeverNoticed => f.write_str("never noticed"),
        }
    }
}
