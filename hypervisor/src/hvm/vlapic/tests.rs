//! The local APIC alone.

use super::{Command, Delivery, Effect, Target, Vlapic, base, reg};

fn enabled() -> Vlapic {
    let mut lapic = Vlapic::new(2, true);
    let _ = lapic.write(reg::SVR, 0x1ff, 0);
    lapic
}

fn command(effect: Effect) -> Option<(Delivery, Target)> {
    let Command { delivery, target } = effect.command?;
    Some((delivery, target))
}

#[test]
fn off_it_takes_nothing_and_keeps_vectors_masked() {
    let mut lapic = Vlapic::new(0, true);
    assert!(!lapic.request(0x40, false));
    let _ = lapic.write(reg::LVT_TIMER, 0x61, 0);
    assert_eq!(lapic.read(reg::LVT_TIMER, 0), 0x1_0061);
    assert_eq!(lapic.pending(), None);
}

#[test]
fn priorities_hold_lower_classes_back() {
    let mut lapic = enabled();
    assert!(lapic.request(0x41, false) && !lapic.request(0x41, false));
    assert!(lapic.request(0x71, false));
    assert_eq!(lapic.pending(), Some(0x71));
    lapic.accept(0x71);
    assert_eq!((lapic.ppr(), lapic.pending()), (0x70, None));
    assert!(lapic.request(0x7f, false));
    assert_eq!(lapic.pending(), None, "same class");
    assert!(lapic.request(0x80, false));
    assert_eq!(lapic.pending(), Some(0x80));
    let _ = lapic.write(reg::EOI, 0, 0);
    assert_eq!(lapic.ppr(), 0);
    let _ = lapic.write(reg::TPR, 0x85, 0);
    assert_eq!((lapic.ppr(), lapic.pending()), (0x85, None));
    lapic.set_cr8(3);
    assert_eq!(
        (lapic.pending(), lapic.read(reg::TPR, 0)),
        (Some(0x80), 0x30)
    );
}

#[test]
fn what_was_not_taken_comes_again() {
    let mut lapic = enabled();
    assert!(lapic.request(0x41, false));
    lapic.accept(0x41);
    assert!(lapic.put_back(0x41) && !lapic.put_back(0x41));
    assert_eq!((lapic.pending(), lapic.ppr()), (Some(0x41), 0));
}

#[test]
fn the_end_of_a_level_interrupt_is_told() {
    let mut lapic = enabled();
    assert!(lapic.request(0x50, true));
    lapic.accept(0x50);
    assert_eq!(lapic.write(reg::EOI, 0, 0).end, Some(0x50));
    assert!(lapic.request(0x50, false));
    lapic.accept(0x50);
    assert_eq!(lapic.write(reg::EOI, 0, 0).end, None);
    assert_eq!(lapic.write(reg::EOI, 0, 0), Effect::default());
}

#[test]
fn commands() {
    let mut lapic = enabled();
    let mut send = |high: u32, low: u32| {
        let _ = lapic.write(reg::ICR_HIGH, high, 0);
        command(lapic.write(reg::ICR, low, 0))
    };
    use Delivery::*;
    assert_eq!(send(0, 0x4_0051), Some((Fixed(0x51), Target::Me)));
    assert_eq!(
        send(3 << 24, 0x4052),
        Some((Fixed(0x52), Target::Physical(3)))
    );
    assert_eq!(send(0xff << 24, 0x52), Some((Fixed(0x52), Target::All)));
    assert_eq!(
        send(5 << 24, 0x952),
        Some((Lowest(0x52), Target::Logical(5)))
    );
    assert_eq!(send(0, 0xc_4500), Some((Init, Target::Others)));
    assert_eq!(send(0, 0xc_8500), None, "deassertion");
    assert_eq!(
        send(4 << 24, 0x4608),
        Some((Startup(8), Target::Physical(4)))
    );
    assert_eq!(send(0, 0x8_0400), Some((Nmi, Target::All)));
    assert_eq!(send(0, 0x4_0005), None, "vector 5");
    let _ = lapic.write(reg::ESR, 0, 0);
    assert_eq!(lapic.read(reg::ESR, 0), 0x20);
}

#[test]
fn logical_addresses() {
    let mut lapic = enabled();
    let _ = lapic.write(reg::LDR, 0x2400_0000, 0);
    assert!(lapic.address().is_target(Target::Logical(0x20), 0));
    assert!(!lapic.address().is_target(Target::Logical(0xdb), 0));
    let _ = lapic.write(reg::DFR, 0, 0);
    assert!(lapic.address().is_target(Target::Logical(0x2c), 0));
    assert!(
        !lapic.address().is_target(Target::Logical(0x3c), 0)
            && !lapic.address().is_target(Target::Logical(0x2b), 0)
    );
    assert!(lapic.set_base(lapic.base() | base::X2APIC));
    assert!(lapic.address().is_target(Target::Logical(1 << 2), 0));
    assert!(
        !lapic
            .address()
            .is_target(Target::Logical(1 << 16 | 1 << 2), 0)
    );
}

#[test]
fn a_timer_runs_once_or_for_ever() {
    let mut lapic = enabled();
    let _ = lapic.write(reg::TIMER_DIVIDE, 0xb, 0);
    let _ = lapic.write(reg::LVT_TIMER, 0x61, 0);
    assert!(lapic.write(reg::TIMER_INITIAL, 100, 1000).timer);
    assert_eq!(lapic.deadline(), Some(2000));
    assert_eq!(lapic.read(reg::TIMER_CURRENT, 1500), 50);
    assert_eq!(lapic.tick(1999), Effect::default());
    assert!(lapic.tick(2000).timer);
    assert_eq!((lapic.pending(), lapic.deadline()), (Some(0x61), None));
    assert_eq!(lapic.read(reg::TIMER_CURRENT, 2500), 0);
    lapic.accept(0x61);
    let _ = lapic.write(reg::EOI, 0, 0);

    let _ = lapic.write(reg::LVT_TIMER, 0x2_0062, 3000);
    assert_eq!(lapic.deadline(), None, "a change of mode stops it");
    let _ = lapic.write(reg::TIMER_INITIAL, 100, 3000);
    assert!(lapic.tick(6500).timer);
    assert_eq!(lapic.deadline(), Some(7000), "missed ticks are one");
    assert_eq!(lapic.read(reg::TIMER_CURRENT, 6750), 25);
    let _ = lapic.write(reg::TIMER_INITIAL, 0, 6800);
    assert_eq!(
        (lapic.deadline(), lapic.read(reg::TIMER_CURRENT, 6800)),
        (None, 0)
    );
}

#[test]
fn a_masked_timer_runs_silently() {
    let mut lapic = enabled();
    let _ = lapic.write(reg::LVT_TIMER, 0x1_0061, 0);
    let _ = lapic.write(reg::TIMER_INITIAL, 1, 0);
    assert_eq!(lapic.deadline(), Some(20), "divided by two");
    assert!(lapic.tick(20).timer);
    assert_eq!(lapic.pending(), None);
}

#[test]
fn modes_change_only_as_they_may() {
    let mut lapic = enabled();
    let on = lapic.base();
    assert_eq!(on, base::ADDRESS | base::ENABLED | base::BSP);
    assert!(!lapic.set_base(on | 1) && !lapic.set_base(on + 0x1000));
    assert!(!lapic.set_base(base::ADDRESS | base::X2APIC));
    assert!(lapic.read_msr(2, 0).is_none());
    assert!(lapic.set_base(on | base::X2APIC));
    assert!(!lapic.has_page() && lapic.read_msr(2, 0) == Some(2));
    assert!(!lapic.set_base(on), "back to the page");
    assert!(lapic.set_base(base::ADDRESS));
    assert!(!lapic.set_base(on | base::X2APIC), "from off to x2APIC");
    assert!(lapic.set_base(on));
    assert_eq!(lapic.read(reg::SVR, 0), 0xff, "reset");
}

#[test]
fn registers_of_x2apic_refuse_reserved_bits() {
    let mut lapic = enabled();
    assert!(lapic.set_base(lapic.base() | base::X2APIC));
    for (index, value) in [
        (0x08, 0x100),
        (0x0b, 1),
        (0x0f, 0x200),
        (0x28, 1),
        (0x30, 1 << 12),
        (0x32, 1 << 32),
        (0x32, 1 << 20),
        (0x3e, 4),
        (0x3f, 0x100),
        (0x02, 0),
        (0x0e, 0),
        (0x40, 0),
    ] {
        assert!(lapic.write_msr(index, value, 0).is_none(), "{index:x}");
    }
    let sent = lapic.write_msr(0x30, 7 << 32 | 0x55, 0).unwrap();
    assert_eq!(
        command(sent),
        Some((Delivery::Fixed(0x55), Target::Physical(7)))
    );
    let sent = lapic.write_msr(0x3f, 0x56, 0).unwrap();
    assert_eq!(command(sent), Some((Delivery::Fixed(0x56), Target::Me)));
    assert!(lapic.read_msr(0x0b, 0).is_none() && lapic.read_msr(0x31, 0).is_none());
}

#[test]
fn a_saved_state_comes_back() {
    let mut lapic = enabled();
    let _ = lapic.write(reg::LVT_TIMER, 0x2_0062, 0);
    let _ = lapic.write(reg::TIMER_DIVIDE, 0xb, 0);
    let _ = lapic.write(reg::TIMER_INITIAL, 100, 0);
    let _ = lapic.write(reg::LDR, 0x400_0000, 0);
    assert!(lapic.request(0x41, true) && lapic.request(0x90, false));
    lapic.accept(0x90);
    let (hidden, regs) = lapic.save(400);
    let mut other = Vlapic::new(2, true);
    assert!(other.restore(&hidden, &regs, 10_400));
    assert_eq!(other.deadline(), Some(11_000));
    let mut moved = lapic.clone();
    moved.resume(60, 10_400);
    assert_eq!(other, moved);
    let mut bad = hidden;
    bad.apic_base_msr = base::ADDRESS | base::X2APIC;
    assert!(!other.restore(&bad, &regs, 0) && other == moved);
}

#[test]
fn a_deadline_is_waited_for_in_its_mode_only() {
    let mut lapic = enabled();
    lapic.set_tsc_deadline(500);
    assert_eq!((lapic.tsc_deadline(), lapic.unknown_deadline()), (0, None));
    let _ = lapic.write(reg::LVT_TIMER, 0x4_0063, 0);
    // A count is nothing in this mode.
    let _ = lapic.write(reg::TIMER_INITIAL, 100, 0);
    assert_eq!(
        (lapic.deadline(), lapic.read(reg::TIMER_CURRENT, 0)),
        (None, 0)
    );
    lapic.set_tsc_deadline(500);
    assert_eq!(lapic.unknown_deadline(), Some(500));
    lapic.set_due(70);
    let _ = lapic.write(reg::TIMER_DIVIDE, 0xb, 0);
    assert_eq!(
        (lapic.unknown_deadline(), lapic.deadline()),
        (None, Some(70))
    );
    // Saved, and when it is has to be said anew.
    let (hidden, regs) = lapic.save(10);
    assert_eq!(hidden.tdt_msr, 500);
    let mut other = Vlapic::new(2, true);
    assert!(other.restore(&hidden, &regs, 0));
    assert_eq!(other.unknown_deadline(), Some(500));
    // So when the counter was set.
    lapic.counter_changed();
    assert_eq!(
        (lapic.unknown_deadline(), lapic.deadline()),
        (Some(500), None)
    );
    lapic.set_due(90);
    assert!(!lapic.tick(89).timer && lapic.tick(90).timer);
    assert_eq!((lapic.pending(), lapic.tsc_deadline()), (Some(0x63), 0));
    assert_eq!(lapic.deadline(), None);
    // Another mode, and zero, stop it.
    for stop in [0, 1] {
        lapic.set_tsc_deadline(500);
        lapic.set_due(70);
        if stop == 0 {
            lapic.set_tsc_deadline(0);
        } else {
            let _ = lapic.write(reg::LVT_TIMER, 0x63, 0);
        }
        assert_eq!((lapic.deadline(), lapic.unknown_deadline()), (None, None));
    }
}
