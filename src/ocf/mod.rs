//! OCF.
