//! *What may be tried?* The tools of forks: one file each, and what they share.

mod create_sandbox_fork;
mod diff_fork;
mod discard_fork;
mod dropping;
mod list_forks;
mod promote_fork;
mod run_experiment;
mod told;
mod update_fork;

pub(super) use create_sandbox_fork::TOOL as CREATE_SANDBOX_FORK;
pub(super) use diff_fork::TOOL as DIFF_FORK;
pub(super) use discard_fork::TOOL as DISCARD_FORK;
pub(super) use list_forks::TOOL as LIST_FORKS;
pub(super) use promote_fork::TOOL as PROMOTE_FORK;
pub(super) use run_experiment::TOOL as RUN_EXPERIMENT;
pub(super) use update_fork::TOOL as UPDATE_FORK;

#[cfg(test)]
mod tests;
