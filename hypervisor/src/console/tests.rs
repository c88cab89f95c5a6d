//! The log, its limits and the line's input, on the simulated machine.

extern crate std;

use super::input::{Input, Typed};
use super::limit::Limit;
use super::ring::Ring;
use super::*;
use crate::fail::Fail;
use crate::testing::{TestDomain, World};
use crate::{guest_log, log, say};
use std::string::String;
use std::vec::Vec;
use xen_abi::Errno;
use xen_abi::sysctl::SysctlReadconsole;
use xen_abi::xen::{CONSOLEIO_read, CONSOLEIO_write};

fn text(ring: &Ring, from: u32) -> String {
    let mut bytes = std::vec![0; ring.size() as usize];
    let length = ring.read(from, &mut bytes);
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn the_ring_keeps_the_last_bytes() {
    let mut ring = Ring::new(1);
    assert_eq!(ring.size(), 4096);
    ring.push(b"one ");
    ring.push(b"two");
    assert_eq!(text(&ring, 0), "one two");
    assert_eq!(text(&ring, 4), "two");
    assert_eq!(text(&ring, 8), "");
    ring.push(&[b'x'; 4096]);
    ring.push(b"end");
    assert_eq!((ring.start(), ring.end()), (4106 - 4096, 4106));
    assert_eq!(text(&ring, 0), "");
    assert_eq!(ring.from(0), ring.start());
    assert!(text(&ring, ring.start()).ends_with("xxend"));
}

#[test]
fn the_ring_without_room_keeps_nothing() {
    let mut ring = Ring::new(0);
    assert_eq!(ring.size(), 32 << 10);
    ring.push(b"");
    assert_eq!(
        (ring.start(), ring.end(), ring.read(7, &mut [0; 8])),
        (0, 0, 0)
    );
}

#[test]
fn a_flood_is_limited_and_counted() {
    const SECOND: u64 = 1_000_000_000;
    let mut limit = Limit::new();
    assert_eq!((0..20).filter_map(|_| limit.pass(0)).count(), 10);
    assert_eq!(limit.pass(4 * SECOND), None);
    assert_eq!(limit.pass(5 * SECOND), Some(11));
    assert_eq!(limit.pass(5 * SECOND), None);
    assert_eq!(limit.pass(1000 * SECOND), Some(1));
    assert_eq!((0..20).filter_map(|_| limit.pass(1000 * SECOND)).count(), 9);
}

fn type_in(input: &mut Input, text: &str) -> Vec<Typed> {
    text.bytes().map(|byte| input.take(byte)).collect()
}

#[test]
fn three_times_the_key_switches() {
    let mut input = Input::new(Some(b'a'), false);
    use Typed::*;
    assert_eq!(
        type_in(&mut input, "x\x01\x01y"),
        [Domain, Nothing, Nothing, Domain]
    );
    assert_eq!(input.waiting(), b"x\x01\x01y");
    input.done(4);
    assert_eq!(
        type_in(&mut input, "\x01\x01\x01q"),
        [Nothing, Nothing, Switched, Key(b'q')]
    );
    assert_eq!(
        type_in(&mut input, "\x01\x01\x01q"),
        [Nothing, Nothing, Switched, Domain]
    );
    assert_eq!(input.waiting(), b"q");
}

#[test]
fn input_that_nobody_fetches_is_dropped_and_the_rest_stays_whole() {
    let mut input = Input::new(None, false);
    for round in 0..3 {
        for i in 0..5000u32 {
            assert_eq!(input.take(i as u8), Typed::Domain);
        }
        let mut got = Vec::new();
        while !input.waiting().is_empty() {
            got.extend_from_slice(input.waiting());
            input.done(usize::MAX);
        }
        assert_eq!(got.len(), 1023, "round {round}");
        assert!(got.iter().zip(0u32..).all(|(&byte, i)| byte == i as u8));
    }
}

fn world() -> (World, TestDomain) {
    let world = World::new(1);
    let dom = world.domain(0, true, 1);
    world.machine.take_console();
    (world, dom)
}

#[test]
fn each_line_has_the_prefix() {
    let (world, dom) = world();
    log!(world.hv, Error, "two\nlines {}", 7);
    log!(world.hv, Info, "not shown by default");
    say!(world.hv, "always");
    world.on(&dom, 0, 0, |cx| {
        guest_log!(cx, Warning, "limited");
        guest_log!(cx, Info, "never");
    });
    assert_eq!(
        world.machine.take_console(),
        "(XEN) two\n(XEN) lines 7\n(XEN) always\n(XEN) d0v0 limited\n"
    );
}

#[test]
fn a_guest_cannot_flood_the_log() {
    let (world, dom) = world();
    world.on(&dom, 0, 0, |cx| {
        (0..100).for_each(|i| guest_log!(cx, Error, "line {i}"))
    });
    assert_eq!(world.machine.take_console().lines().count(), 10);
    world.machine.advance(5_000_000_000);
    world.on(&dom, 0, 0, |cx| guest_log!(cx, Error, "later"));
    assert_eq!(
        world.machine.take_console(),
        "(XEN) 90 messages suppressed\n(XEN) d0v0 later\n"
    );
}

#[test]
fn the_control_domain_writes_and_reads() {
    let (world, dom) = world();
    let va = dom.va(0, 0);
    dom.data[0].write(0, b"hello");
    let call =
        |cmd: u32, count: u64| world.on(&dom, 0, 0, |cx| console_io(cx, [cmd.into(), count, va]));
    assert_eq!(call(CONSOLEIO_write, 5), Ok(0));
    assert_eq!(world.machine.take_console(), "hello");
    assert_eq!(call(CONSOLEIO_read, 16), Ok(0));
    world.machine.type_at_console("input for dom0");
    input(world.hv, &mut world.machine.cpu(0));
    assert_eq!(call(CONSOLEIO_read, 5), Ok(5));
    assert_eq!(call(CONSOLEIO_read, 4096), Ok(9));
    let mut got = [0; 9];
    assert!(dom.data[0].read(0, &mut got));
    assert_eq!(&got, b" for dom0");
    assert_eq!(call(CONSOLEIO_read, 1 << 31), Err(Errno::E2BIG.into()));
    assert_eq!(call(7, 0), Err(Errno::ENOSYS.into()));
}

#[test]
fn a_slow_line_loses_nothing_of_the_control_domains_and_of_our_own() {
    let (world, dom) = world();
    world.machine.set_console_room(Some(16));
    let all = std::vec![b'x'; 4096];
    dom.data[0].write(0, &all);
    let mut args = [CONSOLEIO_write.into(), 4096, dom.va(0, 0)];
    let mut written = 0;
    let mut restarts = 0;
    // More than the queue has room for; each restart lets others run and goes on later.
    while written < 32 {
        let (result, left, live) = world.on(&dom, 0, 0, |cx| {
            let result = console_io(cx, args);
            let regs = cx.regs();
            (result, [regs.rdi, regs.rsi, regs.rdx], cx.live)
        });
        match result {
            Ok(0) => {
                written += 1;
                args = [CONSOLEIO_write.into(), 4096, dom.va(0, 0)];
            }
            Err(Fail::Restart) => {
                assert!(!live);
                args = left;
                restarts += 1;
            }
            other => panic!("{other:?}"),
        }
        turn(world.hv, &mut world.machine.cpu(0));
    }
    assert!(restarts > 0);
    say!(world.hv, "the end");
    while machine::console::pump() {}
    let out = world.machine.take_console();
    assert_eq!(out.matches('x').count(), 32 * 4096);
    assert!(out.ends_with("(XEN) the end\n"));
}

#[test]
fn a_guest_cannot_make_a_slow_line_waited_for() {
    let (world, dom) = world();
    world.machine.set_console_room(Some(0));
    let text = "y".repeat(200);
    while machine::console::room() >= LINE_ROOM {
        say!(world.hv, "{text}");
    }
    let before = machine::console::room();
    world.on(&dom, 0, 0, |cx| guest_log!(cx, Warning, "in the log alone"));
    assert_eq!(machine::console::room(), before);
    world.machine.set_console_room(None);
    machine::console::pump();
    world.on(&dom, 0, 0, |cx| guest_log!(cx, Warning, "shown"));
    let out = world.machine.take_console();
    assert!(!out.contains("d0v0 in the log alone"));
    assert!(out.ends_with("(XEN) 1 lines about guests are in the log alone\n(XEN) d0v0 shown\n"));
    let mut log = std::vec![0; 1 << 20];
    let length = world.hv.console.fetch_all(&mut log);
    let log = String::from_utf8_lossy(&log[..length]);
    assert!(log.contains("(XEN) d0v0 in the log alone\n"));
}

#[test]
fn lines_are_stamped() {
    let (world, _) = world();
    let (options, _) = crate::cmdline::parse("console_timestamps=datems");
    let console = Console::new(&options);
    console.set_date(1_735_689_600_000_000_000);
    world.machine.advance(1_500_000_000);
    console.say(format_args!("one\ntwo"));
    let out = world.machine.take_console();
    let mut lines = out.lines();
    assert!(
        lines
            .next()
            .is_some_and(|line| line.starts_with("(XEN) [2025-01-01 00:00:01.5"))
    );
    assert!(lines.next().is_some_and(|line| line.ends_with("] two")));
}

#[test]
fn only_the_control_domain_has_the_console() {
    let world = World::new(1);
    let dom = world.domain(3, false, 1);
    let result = world.on(&dom, 0, 0, |cx| console_io(cx, [0, 1, dom.va(0, 0)]));
    assert_eq!(result, Err(Fail::Errno(Errno::EPERM)));
}

#[test]
fn the_log_is_read_at_once_and_by_and_by() {
    let (world, dom) = world();
    say!(world.hv, "first");
    let read = |op: &mut SysctlReadconsole| {
        op.buffer = dom.va(0, 0);
        op.count = 4096;
        world.on(&dom, 0, 0, |cx| read_log(cx, op)).unwrap();
        let mut got = std::vec![0; op.count as usize];
        dom.data[0].read(0, &mut got);
        String::from_utf8(got).unwrap()
    };
    let mut op = SysctlReadconsole {
        incremental: 1,
        ..Default::default()
    };
    assert!(read(&mut op).ends_with("(XEN) first\n"));
    say!(world.hv, "second");
    assert_eq!(read(&mut op), "(XEN) second\n");
    assert_eq!(read(&mut op), "");
    op.incremental = 0;
    op.clear = 1;
    assert!(read(&mut op).ends_with("(XEN) first\n(XEN) second\n"));
    op.index = 0;
    assert_eq!(read(&mut op), "");
    let mut nowhere = SysctlReadconsole {
        buffer: 0x66_6666_0000,
        count: 1,
        ..Default::default()
    };
    say!(world.hv, "third");
    let result = world.on(&dom, 0, 0, |cx| read_log(cx, &mut nowhere));
    assert_eq!(result, Err(Errno::EFAULT));
}
