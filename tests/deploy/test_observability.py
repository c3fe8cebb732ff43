"""Rules, dashboard and runbook in deploy/observability agree with each other, with docs/metrics.md and with berthad."""

import collections
import itertools
import re
import subprocess
import sys

import pytest
import yaml

from observability_support import (FOLDER, FOREIGN, GPU, ROOT, RULES, dashboard, documented, family, filled, groups,
                                   metric_names, panels, recorded, rules, selectors, variables)

UNIT_TESTS = sorted((FOLDER / "rules" / "tests").glob("*.yaml"))
SECTION = re.compile(r"^## (\w+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def run(*command, **keywords):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **keywords)


def runbook():
    """The text of each entry."""
    return dict(SECTION.findall((FOLDER / "runbook.md").read_text()))


def every_query():
    """(where, query) of all rules and panels."""
    for rule in rules("alert") + rules("record"):
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], filled(target["expr"])
    for annotation in dashboard()["annotations"]["list"]:
        yield annotation["name"], filled(annotation["expr"])


# --- rules ---


@pytest.mark.parametrize("file", RULES, ids=lambda f: f.name)
def test_promtool_finds_nothing_wrong_with_the_rules(file):
    done = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda f: f.name)
def test_the_rules_pass_their_unit_tests(file):
    done = run("promtool", "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_to_fire_and_to_be_quiet():
    seen = collections.defaultdict(set)
    for file in UNIT_TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for case in test.get("alert_rule_test", []):
                seen[case["alertname"]].add(bool(case["exp_alerts"]))
    assert dict(seen) == {rule["alert"]: {True, False} for rule in rules("alert")}


def test_every_recorded_metric_has_a_reader():
    adapter = (FOLDER / "prometheus-adapter.yaml").read_text()
    read = set().union(*(metric_names(query) for _, query in every_query())) | {n for n in recorded() if n in adapter}
    assert recorded() - read == set()


def test_groups_have_names_of_their_own_and_unit_tests_know_their_order():
    names = [group["name"] for group in groups()]
    assert len(set(names)) == len(names)
    for file in UNIT_TESTS:
        assert yaml.safe_load(file.read_text())["group_eval_order"] == names, file.name


def test_alerts_say_how_bad_what_and_where_to_read_on():
    for rule in rules("alert"):
        assert re.fullmatch(r"Bertha[A-Z]\w+", rule["alert"])
        assert rule["labels"] in [{"severity": s} for s in ("critical", "warning", "info")], rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}, rule["alert"]
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert ROOT / page == FOLDER / "runbook.md" and anchor == rule["alert"].lower()


# --- what queries name ---


@pytest.mark.parametrize("query, names, with_labels", [
    ('sum by (le) (rate(a_total{x="b", y=~"c|d"}[5m])) / on (k) group_left () e:f:g > 0.5',
     {"a_total", "e:f:g"}, {'a_total{x="b", y=~"c|d"}', "e:f:g"}),
    ('count(a) unless (b{c="d(e)"} offset 1h == bool 1) or 0 * time()', {"a", "b"}, {"a", 'b{c="d(e)"}'}),
])
def test_names_in_a_query_are_found(query, names, with_labels):
    assert metric_names(query) == names
    assert selectors(query) == with_labels


def test_queries_name_only_metrics_that_are_documented_or_recorded():
    known = documented() | recorded() | FOREIGN
    for where, query in every_query():
        names = {n if n in known else family(n) for n in metric_names(query)}
        assert names <= known, (where, names - known)


def test_what_any_program_exports_is_asked_of_berthad_only():
    for where, query in every_query():
        for selector in selectors(query):
            assert not selector.startswith(("process_", "up")) or 'job="bertha"' in selector, (where, selector)


# --- the dashboard ---


def test_what_is_generated_is_up_to_date():
    done = run(sys.executable, FOLDER / "generate", "--check")
    assert done.returncode == 0, done.stderr


def test_the_operators_object_has_the_rules_of_the_files():
    document = yaml.safe_load((FOLDER / "prometheusrule.yaml").read_text())
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert document["spec"] == {"groups": groups()}


def test_kustomize_finds_its_files():
    document = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    (dashboards,) = document["configMapGenerator"]
    assert document["resources"] == ["prometheusrule.yaml"] and dashboards["files"] == ["dashboards/bertha.json"]
    assert all((FOLDER / file).is_file() for file in document["resources"] + dashboards["files"])


def test_panels_lie_side_by_side_and_say_what_they_show():
    cells = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        mine = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] + at["w"] <= 24 and not mine & cells, panel["title"]
        cells |= mine
    everything = dashboard()["panels"]
    assert len({p["id"] for p in everything}) == len({p["title"] for p in everything}) == len(everything)
    for panel in panels():
        assert panel["description"].endswith(".") and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]


def test_every_query_goes_to_the_chosen_data_source_and_keeps_to_the_chosen_pods():
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert {panel["datasource"]["uid"], *(t["datasource"]["uid"] for t in panel["targets"])} == {chosen["uid"]}
        for target in panel["targets"]:
            for selector in selectors(target["expr"]):
                unlabelled = selector.startswith("bertha:objective_")
                assert unlabelled or 'namespace=~"$namespace"' in selector, (panel["title"], selector)


def test_every_metric_of_berthad_is_on_the_dashboard_except_a_few():
    shown = {family(n) for panel in panels() for t in panel["targets"] for n in metric_names(t["expr"])}
    assert documented() - shown == {"process_virtual_memory_bytes", "process_threads"}
    assert GPU <= shown


def test_variables_are_used_and_defined():
    text = " ".join(query for panel in panels() for query in (t["expr"] for t in panel["targets"]))
    assert set(re.findall(r"\$(\w+)", text)) - {"__rate_interval"} == variables().keys()


# --- the runbook ---


def test_every_alert_has_one_entry_in_the_runbook_and_in_the_same_order():
    assert list(runbook()) == [rule["alert"] for rule in rules("alert")]
    for name, text in runbook().items():
        assert re.findall(r"^\*\*(\w+)\*\*:", text, re.MULTILINE) == ["Means", "See", "Do"], name


def settings(program):
    """The keys of the configuration file, as section.name or name."""
    done = run(program("berthad"), "--check-config")
    assert done.returncode == 0, done.stderr
    for key, value in yaml.safe_load(done.stdout).items():
        yield from (f"{key}.{name}" for name in value) if isinstance(value, dict) else (key,)


def test_the_runbook_names_settings_metrics_and_panels_that_exist(program):
    text = (FOLDER / "runbook.md").read_text()
    known = set(settings(program))
    sections = {key.partition(".")[0] for key in known}
    named = {word for word in re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", text) if "." in word or word in sections}
    assert {"drain.timeout_ms", "dtype"} <= named <= known, named - known
    metrics = set(re.findall(r"\b(?:bertha_|process_|bertha:)[\w:]+", text))
    assert "bertha_ready" in metrics and metrics <= documented() | recorded()
    titles, there = set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", text)), {panel["title"] for panel in panels()}
    assert "Ready and live" in titles and titles <= there, titles - there


def test_the_runbook_names_commands_and_containers_that_exist(program):
    text = (FOLDER / "runbook.md").read_text()
    commands = set(re.findall(r"(?:`|-- )bertha ((?:package )?[a-z]+)", text))
    assert {"health", "package verify"} <= commands
    for command in commands:
        assert f"Usage: bertha {command} " in run(program("bertha"), *command.split(), "--help").stdout
    deployment = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "base" / "deployment.yaml").read_text())
    known = {container["name"] for container in deployment["spec"]["template"]["spec"]["initContainers"]}
    assert set(re.findall(r" -c ([\w-]+)", text)) == known


def test_the_runbooks_links_lead_somewhere():
    anchors = {name.lower() for name in runbook()}
    for link in re.findall(r"\]\(([^)]+)\)", (FOLDER / "runbook.md").read_text()):
        assert link[1:] in anchors if link.startswith("#") else (FOLDER / link).is_file(), link
