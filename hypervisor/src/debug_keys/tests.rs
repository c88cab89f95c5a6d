//! Every key that ends nothing reports, and those that end something do.

extern crate std;

use super::*;
use crate::testing::World;
use ::machine::arch::sim::PowerEvent;
use std::string::String;
use xen_abi::Errno;

fn typed(world: &World, text: &str) -> String {
    world.machine.take_console();
    world.machine.type_at_console(text);
    crate::console::input(world.hv, &mut world.machine.cpu(0));
    world.machine.take_console()
}

#[test]
fn every_report_says_something() {
    let world = World::new(2);
    let _dom = world.domain(0, true, 2);
    assert!(typed(&world, "\x01\x01\x01").contains("Serial input to Xen"));
    for (key, about, _, _) in KEYS.iter().filter(|row| !matches!(row.0, b'R' | b'C')) {
        let said = typed(&world, &String::from(char::from(*key)));
        assert!(said.starts_with("(XEN) '"), "{about}: {said:?}");
    }
    assert!(typed(&world, "q").contains("domain 0 (control)"));
    assert!(typed(&world, "?").contains("no key"));
    assert!(typed(&world, "*").contains("'g': grants in use"));
}

#[test]
fn another_cpu_answers_for_itself() {
    let world = World::new(2);
    let _dom = world.domain(0, true, 2);
    typed(&world, "\x01\x01\x01d");
    assert!(world.machine.is_kicked(1));
    answer(world.hv, &mut world.machine.cpu(1));
    assert!(world.machine.take_console().contains("CPU 1 runs nothing"));
    answer(world.hv, &mut world.machine.cpu(1));
    assert_eq!(world.machine.take_console(), "");
}

#[test]
fn reboot_reboots() {
    let world = World::new(1);
    let end = PowerEvent::of(|| {
        press(world.hv, &mut world.machine.cpu(0), b'R');
    });
    assert_eq!(end, Some(PowerEvent::Reboot));
}

#[test]
fn a_tool_presses_keys() {
    let world = World::new(1);
    let dom = world.domain(0, true, 1);
    dom.data[0].write(0, b"hm");
    world.machine.take_console();
    let op = SysctlDebugKeys {
        keys: dom.va(0, 0),
        nr_keys: 2,
        _pad0: 0,
    };
    assert_eq!(world.on(&dom, 0, 0, |cx| from_tool(cx, &op)), Ok(0));
    let said = world.machine.take_console();
    assert!(said.contains("'h' pressed") && said.contains("'m' pressed"));
    let op = SysctlDebugKeys { keys: 8, ..op };
    let result = world.on(&dom, 0, 0, |cx| from_tool(cx, &op));
    assert_eq!(result, Err(Errno::EFAULT.into()));
}
