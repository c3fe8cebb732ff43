#include "server/model_watcher.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/fixture.h"

namespace bertha::server {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;
using std::chrono::milliseconds;

constexpr uint64_t kWeights = 1'000'000;

/// Counts those that are alive.
class CountedEncoder final : public batcher::FakeEncoder {
 public:
  explicit CountedEncoder(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~CountedEncoder() override { --alive_; }

 private:
  std::atomic<int>& alive_;
};

/// A model directory whose packages are a file "model.pt" of any text; "bad" in it is refused. No engine, no polling
/// unless asked for: tests say when to look.
struct Fixture : InferenceFixture {
  explicit Fixture(milliseconds poll = milliseconds(0), uint64_t max_bytes = 0)
      : root(fs::temp_directory_path() / absl::StrCat("bertha_watcher_test.", getpid())),
        watcher({.directory = root.string(), .poll = poll, .on_change = [this] { changes += 1; }}, table, dispatcher,
                {.read = [this](const std::string& dir, size_t) { return Read(dir); }, .max_bytes = max_bytes}) {
    spdlog::set_level(spdlog::level::off);
    fs::remove_all(root);
    fs::create_directories(root);
  }
  ~Fixture() {
    watcher.Stop();
    dispatcher.Stop();
    fs::remove_all(root);
  }

  absl::StatusOr<models::Model> Read(const std::string& dir) {
    std::ifstream file(dir + "/model.pt");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    if (text.find("bad") != std::string::npos) return absl::DataLossError("model.pt: damaged");
    models::Model model;
    model.manifest.labels = {"sum", "count"};
    model.manifest.max_length = 10;
    model.manifest.family = text;
    model.tokenizer = std::make_unique<ByteTokenizer>();
    model.replicas.push_back(std::make_unique<CountedEncoder>(alive));
    model.weight_bytes = kWeights;
    reads += 1;
    return model;
  }

  void Write(const std::string& path, const std::string& text) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  /// Of kWeights bytes or a little less.
  void Package(const std::string& path, const std::string& text) const {
    Write(path + "/model.pt", text + std::string(kWeights - 100, ' '));
    Write(path + "/SHA256SUMS", text);
  }
  void Start() {
    Gate ready;
    auto scan = ScanPackages(root.string());
    REQUIRE(scan.ok());
    watcher.Start(*std::move(scan), [&](bool) { ready.Open(); });
    ready.Pass();
  }
  absl::Status Await(const std::function<void(ModelWatcher::Done)>& call) {
    Gate done;
    absl::Status status;
    call([&](const absl::Status& s) {
      status = Unshared(s);
      done.Open();
    });
    done.Pass();
    return status;
  }
  absl::Status Load(const std::string& name = "", int64_t version = 0) {
    return Await([&](auto done) { watcher.Load(name, version, std::move(done)); });
  }
  absl::Status Unload(const std::string& name, int64_t version = 0) {
    return Await([&](auto done) { watcher.Unload(name, version, std::move(done)); });
  }
  /// The text of the package that answers; empty if none does.
  std::string Answering(const std::string& name, int64_t version = 0, const std::string& label = "") {
    auto model = table.Find(name, version, label);
    return model.ok() ? (*model)->manifest.family.substr(0, (*model)->manifest.family.find(' ')) : "";
  }
  /// For what another thread does in its own time.
  static void AwaitTrue(const std::function<bool()>& condition) {
    while (!condition()) std::this_thread::yield();
  }

  using Gate = batcher::Gate;
  const fs::path root;
  std::atomic<int> alive = 0, reads = 0, changes = 0;
  ModelWatcher watcher;
};

TEST_CASE("WhatIsThereAtStartServes") {
  Fixture f;
  f.Package("a/1", "one");
  f.Package("a/2", "bad");
  f.Package("b/1", "other");
  f.Start();
  CHECK(f.Answering("a") == "one");
  CHECK(f.Answering("b") == "other");
  CHECK(Is(f.table.Find("a", 2, "").status(), StatusCode::kNotFound, "model.pt: damaged"));
  CHECK(f.changes == 3);
}

TEST_CASE("ANewVersionServesBesideTheOldOne") {
  Fixture f;
  f.Package("m/1", "one");
  f.Start();
  f.Package("m/2", "two");
  CHECK(f.Load("m").ok());
  CHECK(f.Answering("m") == "two");
  CHECK(f.Answering("m", 1) == "one");
  CHECK(f.alive == 2);
}

TEST_CASE("AReplacedPackageIsSwitchedToAndTheOldOneIsFreedWhenItsLastCallEnds") {
  Fixture f;
  f.Package("m/1", "one");
  f.Start();
  std::shared_ptr<const ServingModel> held = *f.table.Find("m", 1, "");
  f.Package("m/1", "second");
  CHECK(f.Load("m", 1).ok());
  CHECK(f.Answering("m") == "second");
  CHECK(f.alive == 2);
  CHECK(f.watcher.Describe().loaded_bytes == 2 * kWeights);
  // Who still holds the old one is served by it.
  CHECK(f.dispatcher.Reserve(held->id, 1).ok());
  held.reset();
  Fixture::AwaitTrue([&] { return f.alive == 1 && f.watcher.Describe().loaded_bytes == kWeights; });
  CHECK(f.Classify(f.Request({"x"}, "m")).ok());
}

TEST_CASE("ARefusedUpdateLeavesTheOldOneServingAndIsTriedAgainWhenItIsNamed") {
  Fixture f;
  f.Package("m/1", "one");
  f.Start();
  f.Package("m/1", "bad");
  CHECK(Is(f.Load("m", 1), StatusCode::kFailedPrecondition, "the old one serves on: model.pt: damaged"));
  CHECK(f.Answering("m") == "one");
  REQUIRE(f.watcher.Describe().packages.size() == 1);
  CHECK(f.watcher.Describe().packages[0].entry.refused_update == "model.pt: damaged");
  f.Package("m/1", "repaired");
  CHECK(f.Load("m", 1).ok());
  CHECK(f.Answering("m") == "repaired");
  CHECK(f.watcher.Describe().packages[0].entry.refused_update.empty());
  CHECK(f.reads == 2);
}

TEST_CASE("ARemovedVersionServesNoMoreAndASuccessorServesBeforeThat") {
  Fixture f;
  f.Package("m/1", "one");
  f.Package("m/2", "two");
  f.Start();
  fs::remove_all(f.root / "m/2");
  CHECK(f.Load().ok());
  CHECK(f.Answering("m") == "one");
  CHECK(f.table.List().size() == 1);
  CHECK(Is(f.Load("m", 2), StatusCode::kNotFound, "no package of \"m\" version 2"));
}

TEST_CASE("ADirectoryThatVanishesOrIsSuddenlyEmptyChangesNothing") {
  const bool empty = GENERATE(false, true);
  Fixture f;
  f.Package("m/1", "one");
  f.Start();
  fs::remove_all(f.root);
  if (empty) fs::create_directories(f.root);
  for (int i = 0; i < 3; ++i) CHECK(f.Load().code() == StatusCode::kUnavailable);
  CHECK(f.Answering("m") == "one");
  CHECK(f.watcher.Describe().problems.size() == 1);
  f.Package("m/1", "two");
  CHECK(f.Load().ok());
  CHECK(f.Answering("m") == "two");
  CHECK(f.watcher.Describe().problems.empty());
}

TEST_CASE("APackageWithoutSumsIsWaitedFor") {
  Fixture f;
  f.Package("m/1", "one");
  f.Write("m/2/model.pt", "two");
  f.Start();
  CHECK(Is(f.Load("m", 2), StatusCode::kFailedPrecondition, "m:2: has no SHA256SUMS yet"));
  CHECK(f.watcher.Describe().packages.size() == 2);
  CHECK(f.watcher.Describe().packages[1].waiting);
  CHECK(f.table.List().size() == 1);
  f.Write("m/2/SHA256SUMS", "two");
  CHECK(f.Load("m", 2).ok());
  CHECK(f.Answering("m") == "two");
  CHECK_FALSE(f.watcher.Describe().packages[1].waiting);
}

TEST_CASE("AnUnloadedVersionStaysAwayUntilItIsNamedOrChanges") {
  Fixture f;
  f.Package("m/1", "one");
  f.Package("m/2", "two");
  f.Start();
  CHECK(f.Unload("m", 2).ok());
  CHECK(f.Answering("m") == "one");
  CHECK(Is(f.table.Find("m", 2, "").status(), StatusCode::kNotFound, "unloaded by ModelControl"));
  CHECK(f.Load().ok());
  CHECK(f.Answering("m") == "one");
  CHECK(f.watcher.Describe().packages[1].unloaded);
  CHECK(f.Load("m", 2).ok());
  CHECK(f.Answering("m") == "two");
  CHECK_FALSE(f.watcher.Describe().packages[1].unloaded);
  CHECK(f.Unload("m").ok());
  CHECK(f.Answering("m").empty());
  f.Package("m/1", "changed");
  CHECK(f.Load().ok());
  CHECK(f.Answering("m") == "changed");
  CHECK(Is(f.Unload("x"), StatusCode::kNotFound, "\"x\""));
  CHECK(Is(f.Unload("m", 3), StatusCode::kNotFound, "version 3"));
}

TEST_CASE("LabelsFollowTheirFile") {
  Fixture f;
  f.Package("m/1", "one");
  f.Package("m/2", "two");
  f.Write("m/labels.json", R"({"stable": 1})");
  f.Start();
  CHECK(f.Answering("m", 0, "stable") == "one");
  f.Package("m/3", "three");
  f.Write("m/labels.json", R"({"stable": 3, "lost": 9})");
  CHECK(f.Load().ok());
  CHECK(f.Answering("m", 0, "stable") == "three");
  CHECK(f.watcher.Describe().problems ==
        std::vector<std::string>{"m: the label \"lost\" points to version 9, which does not serve"});
  f.Write("m/labels.json", "{");
  CHECK(f.Load().ok());
  CHECK(f.Answering("m", 0, "stable") == "three");
  CHECK(f.watcher.Describe().problems.size() == 2);
  fs::remove(f.root / "m/labels.json");
  CHECK(f.Load().ok());
  CHECK(f.table.Find("m", 0, "stable").status().code() == StatusCode::kNotFound);
  CHECK(f.watcher.Describe().problems.empty());
}

TEST_CASE("ALoadBeyondTheMemoryLimitIsRefusedWithTheNumbersAndTriedAgainWhenThereIsRoom") {
  Fixture f(milliseconds(0), 5 * kWeights / 2);
  f.Package("m/1", "one");
  f.Package("m/2", "two");
  f.Start();
  f.Package("m/3", "three");
  const absl::Status refused = f.Load("m", 3);
  CHECK(Is(refused, StatusCode::kFailedPrecondition, "models.max_memory_mb"));
  CHECK(Is(refused, StatusCode::kFailedPrecondition, "needs about 1.0 MB of memory, and 2.0 MB of 2.5 MB are taken"));
  CHECK(f.Answering("m") == "two");
  fs::remove_all(f.root / "m/1");
  CHECK(f.Load().ok());  // removes
  Fixture::AwaitTrue([&] { return f.watcher.Describe().loaded_bytes == kWeights; });
  CHECK(f.Load().ok());
  CHECK(f.Answering("m") == "three");
}

TEST_CASE("ItPollsByItself") {
  Fixture f(milliseconds(1));
  f.Package("m/1", "one");
  f.Start();
  f.Package("m/2", "two");
  Fixture::AwaitTrue([&] { return f.Answering("m") == "two"; });
  fs::remove_all(f.root / "m/2");
  Fixture::AwaitTrue([&] { return f.Answering("m") == "one"; });
  Fixture::AwaitTrue([&] { return f.alive == 1; });
}

TEST_CASE("AfterStopEveryRequestIsRefused") {
  Fixture f;
  f.Package("m/1", "one");
  f.Start();
  f.watcher.Stop();
  CHECK(f.Load().code() == StatusCode::kUnavailable);
  CHECK(f.Unload("m").code() == StatusCode::kUnavailable);
  CHECK(f.Answering("m") == "one");
}

TEST_CASE("NoCallFailsWhileItsModelIsReplacedAgainAndAgain") {
  Fixture f;
  f.Package("m/1", "0");
  f.Start();
  std::atomic<bool> done = false;
  std::atomic<int> answered = 0, failed = 0;
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t) {
    callers.emplace_back([&] {
      while (!done) {
        const bool ok = f.Classify(f.Request({"a", "bc"}, "m")).ok();
        ++(ok ? answered : failed);
      }
    });
  }
  for (int i = 1; i <= 40; ++i) {
    f.Package("m/1", std::to_string(i));
    const int before = answered;
    REQUIRE(f.Load("m", 1).ok());
    REQUIRE(f.Answering("m") == std::to_string(i));
    Fixture::AwaitTrue([&] { return answered > before || failed > 0; });
  }
  done = true;
  for (std::thread& caller : callers) caller.join();
  CHECK(failed == 0);
  CHECK(f.reads == 41);
  Fixture::AwaitTrue([&] { return f.alive == 1; });
}

}  // namespace
}  // namespace bertha::server
