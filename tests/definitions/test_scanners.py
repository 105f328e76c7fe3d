"""What the scanners' findings are held against, without running a scanner."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from workspace.errors import Refused

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import scan_inputs  # noqa: E402  the scripts are no package
import scanners  # noqa: E402
from scanners import Accepted, Failed, Finding, Scan  # noqa: E402

PUBLIC = Finding("checkov", "CKV_1", "No public access", "infra/shop/main.tf", 7, "store.this", "dev")
OPEN_PORT = Finding("trivy", "KSV-1", "Port 22 is open", "infra/shop/web.yaml", 1, "Service web", "prod")


def entry(**given: str) -> Accepted:
    row = {
        "tool": "checkov",
        "check": "CKV_1",
        "place": PUBLIC.path,
        "reason": "It is a shop.",
        "where": "infra/a.yaml:3",
    }
    return Accepted(**{**row, **given})


def test_a_finding_that_nothing_explains_is_named_with_place_tool_check_and_resource() -> None:
    (sentence,) = scanners.unexplained([OPEN_PORT], [entry()])
    assert sentence == "infra/shop/web.yaml:1: Port 22 is open [trivy KSV-1] (Service web, prod)"


def test_the_same_finding_of_several_environments_is_one_sentence() -> None:
    both = [PUBLIC, Finding(**{**vars(PUBLIC), "environment": "prod"})]
    (sentence,) = scanners.unexplained(both, [])
    assert sentence.endswith("(store.this, dev, prod)")


@pytest.mark.parametrize("place", ["infra/shop/main.tf", "infra/shop/*", "store.this", "store.*"])
def test_a_place_is_a_path_or_a_resource_or_a_pattern_of_either(place: str) -> None:
    assert scanners.unexplained([PUBLIC], [entry(place=place)]) == []


@pytest.mark.parametrize(
    "given",
    [{"tool": "trivy"}, {"check": "CKV_2"}, {"place": "infra/bar/*"}, {"place": "store"}, {"environment": "prod"}],
)
def test_an_entry_explains_only_its_own_tool_check_place_and_environment(given: dict[str, str]) -> None:
    assert not entry(**given).explains(PUBLIC)


def test_an_entry_that_explains_nothing_any_more_is_named_with_its_line() -> None:
    found = scanners.stale([PUBLIC], [entry(), entry(check="CKV_9", where="infra/a.yaml:8")])
    assert found == ["infra/a.yaml:8: checkov no longer finds CKV_9 at infra/shop/main.tf; remove the entry."]


def test_an_entry_for_two_environments_is_stale_where_only_one_needs_it() -> None:
    found = scanners.stale([PUBLIC], [entry(environment="dev"), entry(environment="staging")])
    assert [re.findall(r"in (\w+);", each) for each in found] == [["staging"]]


def test_the_verdict_fails_on_a_stale_entry_alone_and_says_what_was_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scans = [Scan("checkov", {"stack": 2}, 1234, (PUBLIC,)), Scan("checkov", {"stack": 1}, 6, ())]
    assert scanners.verdict(scans, [entry()]) == 0
    assert ": 3 stacks: 1,240 checks passed, 1 finding explained\n" in capsys.readouterr().out
    assert scanners.verdict(scans, [entry(), entry(check="CKV_9")]) == 1
    assert "1 problem: mend or explain." in capsys.readouterr().err


def test_an_entry_of_two_checks_and_two_places_is_four_each_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "accepted.yaml"
    first = "- {tool: t, check: [A, B], place: [x, y], reason: It is so.}"
    file.write_text(f"# Why\n{first}\n- {{tool: t, check: C, place: z, reason: Yes.}}\n")
    rows = scan_inputs.accepted(file)
    assert [row["check"] + row["place"] for row in rows] == ["Ax", "Ay", "Bx", "By", "Cz"]
    assert {row["where"] for row in rows} == {"infra/accepted.yaml:2", "infra/accepted.yaml:3"}
    assert [Accepted(**row) for row in rows][-1].reason == "Yes."


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{tool: t, check: A, place: x}", "reason is missing"),
        ("{tool: t, check: A, place: x, reason: y, why: z}", "why is not known"),
    ],
)
def test_an_entry_without_a_reason_or_with_an_unknown_word_is_refused_with_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "accepted.yaml").write_text(f"- {text}\n")
    with pytest.raises(Refused, match=rf"infra/accepted.yaml:1: {words}"):
        scan_inputs.accepted(tmp_path / "accepted.yaml")


def test_every_reason_of_ours_is_a_sentence() -> None:
    for each in yaml.safe_load((ROOT / "infra" / "accepted.yaml").read_text()):
        assert re.fullmatch(r"\w.{25,}\.", each["reason"]), each


def test_values_without_a_stack_and_a_stack_without_values_are_named(tmp_path: Path) -> None:
    for folder in ("modules", "stacks/shop", "stacks/bar", "environments/dev"):
        (tmp_path / "infra" / folder).mkdir(parents=True)
    (tmp_path / "infra/environments/dev/shop.tfvars.json").write_text("{}")
    with pytest.raises(Failed, match="No environment has values for bar"):
        scanners.lay_out_stacks(tmp_path / "infra", tmp_path / "one")
    (tmp_path / "infra/environments/dev/pub.tfvars.json").write_text("{}")
    with pytest.raises(Failed, match=r"pub\.tfvars\.json has values for a stack that does not exist"):
        scanners.lay_out_stacks(tmp_path / "infra", tmp_path / "two")


def test_answers_written_one_after_the_other_are_all_read() -> None:
    text = json.dumps({"a": 1}, indent=2) + "\n" + json.dumps([{"b": 2}, {"c": 3}]) + "\n"
    assert list(scanners.streamed(text)) == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_an_object_of_a_rendered_file_is_found_where_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "dev.shop.yaml"
    file.write_text(
        "kind: Service\nmetadata:\n  labels:\n    name: no\n  name: web\n---\nkind: Role\nmetadata:\n  name: x\n"
    )
    assert scanners.documents(file) == [("Service", "web", 1), ("Role", "x", 7)]
    failure = {"ID": "KSV-1", "Message": "Role 'x' may too much", "CauseMetadata": {"StartLine": 9}}
    found = scanners.trivy_finding(failure, file, {("Role", "x"): ("infra/roles.yaml", 4)})
    assert (found.path, found.line, found.environment) == ("infra/roles.yaml", 4, "dev")


def test_an_object_that_only_an_overlay_makes_is_found_at_the_overlay() -> None:
    place = scanners.definition({}, "Certificate", "web", Path("dev.issuers.certificates.yaml"))
    assert place == ("infra/kubernetes/overlays/dev/issuers/certificates/kustomization.yaml", 1)


@pytest.mark.parametrize("text", ["{}", '{"check_type": "terraform", "summary": {"resource_count": 0}}'])
def test_a_scanner_that_looked_at_nothing_has_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str
) -> None:
    monkeypatch.setattr(scanners, "CHECKOV", [sys.executable, "-c", f"print({text!r})"])
    with pytest.raises(Failed, match="could not read anything as terraform"):
        scanners.checkov(["terraform"], [tmp_path])


def test_a_scanner_that_breaks_has_failed_in_its_own_words() -> None:
    with pytest.raises(Failed, match="ended with 2: no such rule"):
        scanners.output([sys.executable, "-c", "import sys; sys.exit(sys.stderr.write('no such rule') and 2)"])


def test_the_lock_holds_each_scanner_with_hashes_and_no_address() -> None:
    text = scanners.LOCK.read_text()
    assert all(scanners.version(tool)[0].isdigit() for tool in scanners.PACKAGES)
    assert "://" not in text
    assert all("--hash=sha256:" in each for each in re.split(r"^(?=\w)", text, flags=re.MULTILINE) if "==" in each)
