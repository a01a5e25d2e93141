//! What this machine could do at best, measured beside each bench.

use std::fs::{File, OpenOptions};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use allsource::store::disk::{Disk, RealDisk};

use crate::scratch;

/// How long a limit is measured.
const TIME: Duration = Duration::from_millis(1_500);
/// The size to which the file is allocated, as a log file is.
const FILE_BYTES: u64 = 64 << 20;

/// The median time of writing `bytes` bytes behind the ones before into an allocated file, and of `fdatasync` if
/// `synced`.
pub fn write(bytes: usize, synced: bool) -> Duration {
    let dir = scratch();
    let block = vec![0x5a; bytes];
    let (mut writes, mut total) = (Vec::new(), Duration::ZERO);
    // Writing where something was written before would be cheaper than the store has it: a new file when one is full.
    for number in 0.. {
        let file = allocated(&dir.path().join(format!("raw {number}")));
        let mut offset = 0;
        while total < TIME && offset + bytes as u64 <= FILE_BYTES {
            let began = Instant::now();
            file.write_all_at(&block, offset).expect("a file that can be written");
            if synced {
                file.sync_data().expect("a file that can be synced");
            }
            writes.push(began.elapsed());
            total += began.elapsed();
            offset += bytes as u64;
        }
        if total >= TIME {
            break;
        }
    }
    writes.sort_unstable();
    writes[writes.len() / 2]
}

fn allocated(path: &Path) -> File {
    RealDisk.create(path).and_then(|file| file.allocate(FILE_BYTES)).expect("an allocated file");
    let file = OpenOptions::new().write(true).open(path).expect("the file just made");
    file.sync_all().expect("a file that can be synced");
    file
}

/// The time to copy `bytes` bytes from all over a memory larger than the caches.
pub fn copy(bytes: usize) -> Duration {
    let memory = vec![0x5a_u8; (64 << 20) + bytes];
    let mut copy = vec![0_u8; bytes];
    let (mut copies, mut at) = (0_u32, 0);
    let began = Instant::now();
    while began.elapsed() < TIME / 5 {
        for _ in 0..64 {
            at = (at + 7_919 * 4_096) % (64 << 20);
            copy.copy_from_slice(&memory[at..at + bytes]);
            black_box(&copy);
        }
        copies += 64;
    }
    began.elapsed() / copies
}
