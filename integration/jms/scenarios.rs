//! Every scenario passes on a lone broker, with the client of either package.

use super::java::Flavour;
use crate::harness::lone::Lone;
use crate::harness::publish;

/// Leaves out the families that this version of the broker does not serve yet.
const SERVED: &str = "(?!scheduled|xa)";

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_passes_with_a_client_of_javax() {
    run(Flavour::Javax).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scenario_passes_with_a_client_of_jakarta() {
    run(Flavour::Jakarta).await;
}

/// `QUORATE_JMS_OPTIONS` are options of the client's URL, such as `wireFormat.cacheEnabled=false`; `QUORATE_JMS_SCENARIOS` is a
/// regular expression for the beginning of the names of those that are run, of the families that are served.
async fn run(flavour: Flavour) {
    let broker = Lone::with_openwire().await;
    let options =
        std::env::var("QUORATE_JMS_OPTIONS").map(|options| format!("?{options}")).unwrap_or_default();
    let url = format!("tcp://{}{options}", broker.openwire());
    let mut program = flavour.program("Scenarios");
    let scenarios = std::env::var("QUORATE_JMS_SCENARIOS").unwrap_or_default();
    program.arg(url).arg(format!("{SERVED}{scenarios}"));
    let output = program.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let failed: Vec<&str> = text.lines().filter(|line| !line.starts_with("ok ")).collect();
    publish(text.lines().last().unwrap_or("the scenarios did not even begin"));
    assert!(output.status.success(), "{}", failed.join("\n"));
    assert!(broker.lives(), "the broker ended");
}
