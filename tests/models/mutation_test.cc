// Damaged documents and packages: whatever is done to a good one, the answer is a status and never a crash.
#include <cmath>
#include <functional>

#include "models/manifest.h"
#include "models/package_contents.h"
#include "models/probes.h"
#include "tests/catch.h"
#include "tests/models/mutations.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

using nlohmann::json;

/// Parses 2,000 mutations of `good` and counts those that were refused with a one-line INVALID_ARGUMENT.
int CountRefused(const json& good, const std::function<absl::Status(const std::string&)>& parse) {
  Random random(7);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = MutateJson(good, random);
    const absl::Status status = parse(text);
    if (status.ok()) continue;
    CAPTURE(text, status.ToString());
    REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
    REQUIRE_FALSE(status.message().empty());
    REQUIRE(status.message().find('\n') == absl::string_view::npos);
    ++refused;
  }
  return refused;
}

TEST_CASE("DamagedManifestsAreRefusedOrStillManifests") {
  for (const Task task : kAllTasks) {
    json good = GoodManifest(task);
    good["encoder"] = {{"heads", 2}, {"layers", 3}, {"activation", "gelu"}, {"layer_norm_epsilon", 1e-12}};
    const int refused = CountRefused(good, [](const std::string& text) {
      const absl::StatusOr<Manifest> manifest = ParseManifest(text);
      if (!manifest.ok()) return manifest.status();
      // What was let through keeps the promises of the type.
      CHECK(manifest->output_width() >= 1);
      CHECK(manifest->output_width() <= 65'536);
      CHECK(manifest->max_length >= 1);
      CHECK(manifest->max_length <= 1'000'000);
      CHECK(manifest->padding.id >= 0);
      if (manifest->encoder) {
        CHECK(manifest->encoder->heads >= 1);
        CHECK(manifest->encoder->layer_norm_epsilon > 0);
      }
      return absl::OkStatus();
    });
    // Flips inside of labels and free text are harmless; most of the damage is not.
    CAPTURE(TaskName(task));
    CHECK(refused > 1500);
    CHECK(refused < 2000);
  }
}

TEST_CASE("DamagedProbesAreRefusedOrStillProbes") {
  for (const Task task : kAllTasks) {
    const Manifest manifest = ParsedManifest(GoodManifest(task));
    const int refused = CountRefused(GoodProbes(task), [&](const std::string& text) {
      const absl::StatusOr<std::vector<Probe>> probes = ParseProbes(text, manifest);
      if (!probes.ok()) return probes.status();
      CHECK_FALSE(probes->empty());
      for (const Probe& probe : *probes) {
        CHECK(probe.ids.size() == probe.type_ids.size());
        CHECK(probe.logits.size() == (manifest.row_per_token() ? probe.ids.size() : 1) * manifest.output_width());
        for (const float logit : probe.logits) CHECK(std::isfinite(logit));
      }
      return absl::OkStatus();
    });
    CAPTURE(TaskName(task));
    CHECK(refused > 1200);
    CHECK(refused < 2000);
  }
}

const std::vector<std::string> kFiles = {kManifestFile, kModuleFile, kProbesFile, kTokenizerFile};

/// A package of `task` in `dir`, whole but for its network.
void WritePackage(const std::string& dir, Task task) {
  const json tokenizer_json = SmallTokenizer();
  const auto tokenizer = tokenizer::Tokenizer::FromJson(tokenizer_json.dump());
  REQUIRE(tokenizer.status() == absl::OkStatus());
  const Manifest manifest = ParsedManifest(GoodManifest(task));
  std::vector<ProbeText> texts = {{"a b", std::nullopt}, {"b a a", "a"}};
  if (!manifest.accepts_pairs) texts.pop_back();
  if (task == Task::kQuestionAnswering) texts.erase(texts.begin());
  auto probes = EncodeProbes(**tokenizer, manifest, texts);
  REQUIRE(probes.status() == absl::OkStatus());
  for (Probe& probe : *probes) {
    probe.logits.assign((manifest.row_per_token() ? probe.ids.size() : 1) * manifest.output_width(), 0.25f);
  }
  WriteFile(dir + "/bertha.json", GoodManifest(task).dump());
  WriteFile(dir + "/tokenizer.json", tokenizer_json.dump());
  WriteFile(dir + "/probes.json", ProbesToJson(*probes));
  WriteFile(dir + "/model.pt", std::string(500, 'm'));
  REQUIRE(SealSums(dir) == absl::OkStatus());
}

TEST_CASE("APackageOfEachTaskIsRead") {
  for (const Task task : kAllTasks) {
    TempDir dir;
    WritePackage(dir.path(), task);
    CHECK(ReadPackage(dir.path()).status() == absl::OkStatus());
  }
}

// Half of them keep the sums as they were, half are sealed again, so that the parsers get to see the damage.
TEST_CASE("AThousandDamagedPackagesAreRefusedByNameOrHarmless") {
  Random random(5);
  TempDir outer;
  const std::string bad = outer / "bad";
  for (const Task task : kAllTasks) {
    const std::string dir = outer / std::string(TaskName(task));
    std::filesystem::create_directory(dir);
    WritePackage(dir, task);
  }
  int refused[2] = {0, 0};
  for (int i = 0; i < 1000; ++i) {
    const std::string good = outer / std::string(TaskName(kAllTasks[i / 2 % 4]));
    std::filesystem::copy(good, bad);
    const bool sealed = i % 2 == 1;
    std::vector<std::string> files = kFiles;
    if (!sealed) files.push_back(kSumsFile);
    const std::string damage = DamagePackage(bad, files, random);
    CAPTURE(i, damage, sealed);
    if (sealed) SealSums(bad).IgnoreError();  // with links and folders in it, it is not
    const absl::Status status = ReadPackage(bad).status();
    if (status.ok() && !sealed) {
      for (const std::string& name : kFiles) REQUIRE(FileContent(bad + "/" + name) == FileContent(good + "/" + name));
    }
    if (!status.ok()) {
      ++refused[sealed];
      CheckRefusal(status, {kFiles.begin(), kFiles.end()});
    }
    std::filesystem::remove_all(bad);
  }
  CAPTURE(refused[0], refused[1]);
  // Harmless is a piece of no length, and with new sums what is done to the network, to free text or to probes' texts.
  CHECK(refused[0] > 480);
  CHECK(refused[1] > 250);
  CHECK(refused[1] < 450);
}

}  // namespace
}  // namespace bertha::models
