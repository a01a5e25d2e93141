//! The power goes while log files become segments and are deleted: nothing is lost, nothing comes twice, and a call that
//! is sent again is known as before.

use std::io;

use allsource::store::PlantedBug;

use super::crash::{Cuts, NEVER, holds, is_caught, mixed};
use super::failures;
use super::workload::{Upkeep, Workload};

/// An honest disk, and one that keeps, loses or tears each change on its own.
const CUTS: Cuts = Cuts { states: &[0, 2], in_recovery_every: 0 };

/// Deletes every log file as soon as it may.
fn cold() -> Workload {
    Workload {
        seed: 21,
        appends: 16,
        upkeep: Some(Upkeep { every: 8, hot_window_bytes: 0, kept: None }),
        ..mixed()
    }
}

/// Keeps one full log file beside its segment.
fn warm() -> Workload {
    let upkeep = Upkeep { every: 5, hot_window_bytes: 16 << 10, kept: None };
    Workload { seed: 22, appends: 15, upkeep: Some(upkeep), ..mixed() }
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_while_it_is_sealed() {
    holds(&cold(), CUTS);
    holds(&warm(), CUTS);
}

#[test]
fn a_power_cut_while_an_interrupted_step_is_cleared_away_changes_nothing() {
    let cuts = Cuts { states: &[2], in_recovery_every: 11 };
    holds(&Workload { seed: 23, appends: 8, ..cold() }, cuts);
}

#[test]
fn what_may_still_be_lost_is_never_sealed() {
    holds(&Workload { durability: NEVER, ..cold() }, CUTS);
}

/// Empties all but the newest events of a type, and merges what is cold.
fn forgetting() -> Workload {
    let upkeep = Upkeep { every: 7, hot_window_bytes: 0, kept: Some(3) };
    Workload { seed: 26, appends: 14, upkeep: Some(upkeep), ..mixed() }
}

#[test]
fn a_power_cut_while_retention_empties_events_costs_nothing_else_and_is_recorded_once() {
    holds(&forgetting(), Cuts { states: &[2], ..CUTS });
    holds(&Workload { durability: NEVER, ..forgetting() }, Cuts { states: &[0], ..CUTS });
}

#[test]
fn a_call_that_fails_while_segments_are_made_loses_nothing() {
    failures::holds(&Workload { seed: 24, appends: 10, ..cold() }, io::ErrorKind::Other);
    failures::holds(&Workload { seed: 25, appends: 10, ..warm() }, io::ErrorKind::StorageFull);
    failures::holds(&Workload { seed: 27, appends: 7, ..forgetting() }, io::ErrorKind::Other);
}

#[test]
fn a_log_file_that_is_deleted_too_early_is_caught() {
    is_caught(PlantedBug::DeleteLogBeforeSwap, cold(), CUTS);
}

#[test]
fn a_segment_that_is_named_before_it_is_durable_is_caught() {
    is_caught(PlantedBug::SkipSegmentSync, cold(), CUTS);
}

#[test]
fn forgotten_calls_are_caught() {
    is_caught(PlantedBug::ForgetCalls, cold(), CUTS);
}

#[test]
fn dropped_ids_are_caught() {
    is_caught(PlantedBug::DropIds, cold(), CUTS);
}
