//! Changes of the root table.

use super::bed::*;
use super::guest::*;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use machine::arch::sim::GuestOp;
use xen_abi::mmu::*;

/// Two address spaces that differ in what one of the users' pages is: after the change of the
/// root, the old translation, which may be global, is gone.
#[test]
fn a_new_root_hides_the_old_ones_pages() {
    let bed = Bed::new(1);
    install_handler(&bed);
    let (one, two) = (bed.page(bed.frames[4]), bed.page(bed.frames[5]));
    one.words()[0].store(111, Relaxed);
    two.words()[0].store(222, Relaxed);
    // A second set of tables in frames 6 to 9, read-only mapped first as tables have to be.
    let [l4, l3, l2, l1] = [6, 7, 8, 9].map(|n| bed.frames[n]);
    for (copy, table) in [l4, l3, l2, l1].into_iter().zip(bed.tables) {
        bed.page(copy).copy_from(&bed.page(table));
    }
    bed.page(l4).words()[0].store(l3.addr() | RWU, Relaxed);
    bed.page(l3).words()[0].store(l2.addr() | RWU, Relaxed);
    bed.page(l2).words()[2].store(l1.addr() | RWU, Relaxed);
    for n in 6..10 {
        bed.page(l1).words()[n].store(0, Relaxed);
    }
    bed.page(l1).words()[4].store(two.mfn().addr() | RWU, Relaxed);
    let seen = Arc::new([const { AtomicU64::new(0) }; 3]);
    let (log, mut step) = (seen.clone(), 0);
    let (at, first) = (args(1, 0), bed.tables[0].0);
    let roots = [l4.0, first];
    let page = one.mfn().addr();
    bed.machine.program(PROGRAM, move |g| {
        step += 1;
        Some(match step {
            1 => update_va(va(4), page | RWU, UVMF_INVLPG),
            2..=5 => update_va(va(step + 4), 0, UVMF_INVLPG),
            6 | 8 | 10 => {
                log[(step - 6) / 2].store(g.read(va(4), 8).unwrap_or(0), Relaxed);
                if step == 10 {
                    block()
                } else {
                    mmuext(g, at, MMUEXT_NEW_BASEPTR, roots[(step - 6) / 2], 0)
                }
            }
            7 | 9 => {
                assert_eq!(g.regs.rax, 0, "the new root was refused");
                GuestOp::Work { ns: 1 }
            }
            _ => block(),
        })
    });
    bed.run(1);
    drop((one, two));
    assert_eq!([0, 1, 2].map(|i| seen[i].load(Relaxed)), [111, 222, 111]);
    bed.machine.audit().unwrap();
    bed.count_out();
}
