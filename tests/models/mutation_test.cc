// Damaged documents: whatever is done to a good one, the parsers answer with a status and never crash.
#include <cmath>
#include <functional>
#include <random>

#include "models/manifest.h"
#include "models/probes.h"
#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

using nlohmann::json;
using Random = std::mt19937;

json OtherType(Random& random) {
  switch (random() % 9) {
    case 0:
      return nullptr;
    case 1:
      return random() % 2 == 0;
    case 2:
      return -static_cast<int64_t>(random());
    case 3:
      return UINT64_MAX - random() % 3;
    case 4:
      return 1e308;
    case 5:
      return "x";
    case 6:
      return json::array();
    case 7:
      return json::object();
    default:
      return json(3, json(2, "y"));
  }
}

/// A value anywhere in the document.
json& AnyValue(json& document, Random& random) {
  const json flat = document.flatten();
  auto it = flat.begin();
  std::advance(it, random() % flat.size());
  json::json_pointer pointer(it.key());
  // Sometimes a parent of it: a whole list, object or the root.
  while (!pointer.empty() && random() % 3 == 0) pointer.pop_back();
  return document[pointer];
}

std::string Mutate(const json& good, Random& random) {
  json document = good;
  std::string text = good.dump();
  switch (random() % 4) {
    case 0:
      for (size_t flips = 1 + random() % 3; flips > 0; --flips) {
        text[random() % text.size()] ^= static_cast<char>(1 << random() % 8);
      }
      return text;
    case 1:
      return text.substr(0, random() % text.size());
    case 2: {  // a piece of the text somewhere else
      const std::string piece = text.substr(random() % text.size(), random() % 20);
      return text.insert(random() % text.size(), piece);
    }
    default:
      AnyValue(document, random) = OtherType(random);
      return document.dump();
  }
}

/// Parses 2,000 mutations of `good` and counts those that were refused with a one-line INVALID_ARGUMENT.
int CountRefused(const json& good, const std::function<absl::Status(const std::string&)>& parse) {
  Random random(7);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string text = Mutate(good, random);
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
  const int refused = CountRefused(GoodManifest(), [](const std::string& text) {
    const absl::StatusOr<Manifest> manifest = ParseManifest(text);
    if (!manifest.ok()) return manifest.status();
    // What was let through keeps the promises of the type.
    CHECK_FALSE(manifest->labels.empty());
    CHECK(manifest->max_length >= 1);
    CHECK(manifest->max_length <= 1'000'000);
    CHECK(manifest->padding.id >= 0);
    return absl::OkStatus();
  });
  // Flips inside of labels and free text are harmless; most of the damage is not.
  CHECK(refused > 1500);
  CHECK(refused < 2000);
}

TEST_CASE("DamagedProbesAreRefusedOrStillProbes") {
  const Manifest manifest = ParsedManifest();
  const int refused = CountRefused(GoodProbes(), [&](const std::string& text) {
    const absl::StatusOr<std::vector<Probe>> probes = ParseProbes(text, manifest);
    if (!probes.ok()) return probes.status();
    CHECK_FALSE(probes->empty());
    for (const Probe& probe : *probes) {
      CHECK(probe.ids.size() == probe.type_ids.size());
      CHECK(probe.logits.size() == manifest.labels.size());
      for (const float logit : probe.logits) CHECK(std::isfinite(logit));
    }
    return absl::OkStatus();
  });
  CHECK(refused > 1300);
  CHECK(refused < 2000);
}

}  // namespace
}  // namespace bertha::models
