// LoadModel on a real package, whole and damaged.
#include "models/model.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <thread>

#include "models/checksums.h"
#include "tests/catch.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string DemoPackage() {
  const char* models = std::getenv("BERTHA_TEST_MODELS");
  const std::string dir = std::string(models ? models : BERTHA_DEMO_MODELS) + "/sentiment-bert/1";
  INFO("no package at " << dir << "; BERTHA_TEST_MODELS names another directory of packages");
  REQUIRE(fs::exists(dir + "/SHA256SUMS"));
  return dir;
}

/// A copy of the demo package to change.
struct Copy {
  Copy() { fs::copy(DemoPackage(), dir.path()); }
  absl::Status Load() const { return LoadModel(dir.path(), {}).status(); }
  void Seal() const { REQUIRE(SealSums(dir.path()) == absl::OkStatus()); }
  /// Changes a JSON file; the sums stay right.
  void Edit(const std::string& name, const std::function<void(json&)>& change) const {
    json content = json::parse(FileContent(dir / name));
    change(content);
    WriteFile(dir / name, content.dump());
    Seal();
  }
  TempDir dir;
};

TEST_CASE("ASlowerTypeIsNoFallbackUnlessAnotherWasAskedFor") {
  CHECK_FALSE(FellBack("fused", "int8", {}));
  CHECK_FALSE(FellBack("torchscript", "fp32", {}));
  CHECK_FALSE(FellBack("fused", "auto", {"int8: the logits differ"}));
  CHECK(FellBack("fused", "int8", {"int8: the logits differ"}));
  CHECK(FellBack("torchscript", "auto", {"fused: no encoder"}));
}

TEST_CASE("TheDemoPackageLoadsAndItsProbesAgree") {
  absl::StatusOr<Model> model = LoadModel(DemoPackage(), {.replicas = 2, .threads = 1});
  INFO(model.status().ToString());
  REQUIRE(model.ok());
  CHECK(model->manifest.labels == std::vector<std::string>{"negative", "neutral", "positive"});
  CHECK(model->replicas.size() == 2);
  CHECK(model->threads == 1);
  CHECK(model->weight_bytes > 1'000'000);
  CHECK(model->probes.count > 10);
  CHECK(model->probes.max_abs_diff <= kFp32Tolerance);
  // Each replica serves: a probe through the tokenizer and the engine gives the exporter's logits.
  const json probe = json::parse(FileContent(DemoPackage() + "/probes.json"))["probes"][5];
  tokenizer::Scratch scratch;
  tokenizer::Encoding encoding;
  REQUIRE(model->tokenizer->Encode(probe["text"].get<std::string>(), std::nullopt, {}, scratch, encoding).ok());
  for (const auto& replica : model->replicas) {
    const std::vector<int32_t> cu_seqlens = {0, static_cast<int32_t>(encoding.ids.size())};
    batcher::EncoderOutput output;
    REQUIRE(replica->Stage({encoding.ids, encoding.type_ids, cu_seqlens}, 0).ok());
    REQUIRE(replica->Run(0, output).ok());
    REQUIRE(output.values.size() == 3);
    for (size_t i = 0; i < 3; ++i) CHECK(output.values[i] == Approx(probe["logits"][i].get<float>()).margin(1e-4));
  }
}

TEST_CASE("EachFileThatIsMissingIsNamed") {
  for (const char* name : {"bertha.json", "tokenizer.json", "probes.json", "model.pt"}) {
    Copy copy;
    fs::remove(copy.dir / name);
    CAPTURE(name);
    CHECK(copy.Load() == absl::DataLossError(std::string(name) + ": listed in SHA256SUMS but missing"));
    copy.Seal();
    const std::string sealed(copy.Load().message());
    CHECK_THAT(sealed, Catch::StartsWith(std::string(name) + ": "));
  }
  Copy copy;
  fs::remove(copy.dir / "SHA256SUMS");
  CHECK(copy.Load() == absl::NotFoundError("SHA256SUMS: No such file or directory"));
}

TEST_CASE("AChangedFileIsRefusedBeforeItIsUsed") {
  for (const char* name : {"bertha.json", "tokenizer.json", "probes.json", "model.pt"}) {
    Copy copy;
    std::string content = FileContent(copy.dir / name);
    content[content.size() / 2] ^= 4;
    WriteFile(copy.dir / name, content);
    const absl::Status status = copy.Load();
    CHECK(status.code() == absl::StatusCode::kDataLoss);
    CHECK_THAT(std::string(status.message()), Catch::StartsWith(std::string(name) + ": does not match its checksum"));
  }
}

TEST_CASE("SealedFilesThatDoNotFitEachOtherAreBlamedByName") {
  struct Case {
    const char* what;
    std::function<void(const Copy&)> spoil;
    std::string message;  // its beginning
  };
  auto cut_logits = [](json& content) {
    for (json& probe : content["probes"]) probe["logits"].erase(2);
  };
  const std::vector<Case> cases = {
      {"one label less", [](const Copy& c) { c.Edit("bertha.json", [](json& j) { j["labels"].erase(2); }); },
       "probes.json: $.probes[0]: has 3 logits, but bertha.json has 2 labels"},
      {"one label and one logit less",
       [&](const Copy& c) {
         c.Edit("bertha.json", [](json& j) { j["labels"].erase(2); });
         c.Edit("probes.json", cut_logits);
       },
       "model.pt: probe 0: forward() returned a tensor of shape [1, 3], expected [1, 2]: one logit for each label of "
       "bertha.json"},
      {"no JSON",
       [](const Copy& c) {
         WriteFile(c.dir / "bertha.json", "{");
         c.Seal();
       },
       "bertha.json: not valid JSON, at byte 2"},
      {"a misspelled key", [](const Copy& c) { c.Edit("bertha.json", [](json& j) { j["lables"] = 1; }); },
       "bertha.json: $.lables: unknown key"},
      {"shorter than the probes", [](const Copy& c) { c.Edit("bertha.json", [](json& j) { j["max_length"] = 2; }); },
       "probes.json: $.probes["},
      {"another token", [](const Copy& c) { c.Edit("probes.json", [](json& j) { j["probes"][3]["ids"][1] = 6; }); },
       "tokenizer.json: probe 3: gives other ids than the exporter did"},
      {"another logit",
       [](const Copy& c) { c.Edit("probes.json", [](json& j) { j["probes"][3]["logits"][0] = 1000; }); },
       "model.pt: the logits of probe 3 differ from the exporter's by 100"},
      {"no tokenizer",
       [](const Copy& c) {
         WriteFile(c.dir / "tokenizer.json", "{}");
         c.Seal();
       },
       "tokenizer.json: "},
      {"no module",
       [](const Copy& c) {
         WriteFile(c.dir / "model.pt", "PK");
         c.Seal();
       },
       "model.pt: cannot be loaded as TorchScript: "},
      {"inputs too few",
       [](const Copy& c) { c.Edit("bertha.json", [](json& j) {
                             j["inputs"] = {"input_ids", "attention_mask"};
                           }); },
       "model.pt: "},
  };
  for (const Case& c : cases) {
    const Copy copy;
    c.spoil(copy);
    CAPTURE(c.what);
    CHECK_THAT(std::string(copy.Load().message()), Catch::StartsWith(c.message));
  }
}

TEST_CASE("FilesThatAreTooLargeOrTooDeepAreRefusedUnread") {
  const std::string deep(100, '['), shallow(100, ']');
  struct Case {
    const char* name;
    std::function<void(const std::string&)> write;
    std::string message;
  };
  auto grow = [](uintmax_t size) {
    return [size](const std::string& path) { fs::resize_file(path, size); };
  };  // sparse
  auto nest = [&](const std::string& path) { WriteFile(path, "{\"a\":" + deep + shallow + "}"); };
  const std::vector<Case> cases = {
      {"bertha.json", grow((1 << 20) + 1), "bertha.json: has 1048577 bytes, at most 1048576 are allowed"},
      {"tokenizer.json", grow((64 << 20) + 1), "tokenizer.json: has 67108865 bytes, at most 67108864 are allowed"},
      {"probes.json", grow((64 << 20) + 1), "probes.json: has 67108865 bytes, at most 67108864 are allowed"},
      {"bertha.json", nest, "bertha.json: lists and objects are nested deeper than 64"},
      {"tokenizer.json", nest, "tokenizer.json: "},
      {"probes.json", nest, "probes.json: lists and objects are nested deeper than 64"},
  };
  for (const Case& c : cases) {
    const Copy copy;
    c.write(copy.dir / c.name);
    copy.Seal();
    CHECK_THAT(std::string(copy.Load().message()), Catch::StartsWith(c.message));
  }
}

TEST_CASE("ThreadsZeroChoosesOneOrTheMost") {
  for (const int max_threads : {2, 1, 0}) {
    absl::StatusOr<Model> model = LoadModel(DemoPackage(), {.replicas = 1, .threads = 0, .max_threads = max_threads});
    REQUIRE(model.ok());
    CAPTURE(max_threads, model->threads);
    CHECK((model->threads == 1 || (model->threads == 2 && max_threads == 2)));
  }
  absl::StatusOr<Model> fixed = LoadModel(DemoPackage(), {.replicas = 1, .threads = 2, .max_threads = 1});
  REQUIRE(fixed.ok());
  CHECK(fixed->threads == 2);
}

TEST_CASE("ReplicasZeroIsAsManyAsHaveCores") {
  for (const int threads : {1, 2, 3, 9}) {
    const absl::StatusOr<Model> model = LoadModel(DemoPackage(), {.replicas = 0, .threads = threads, .max_threads = 8});
    REQUIRE(model.ok());
    CHECK(model->threads == threads);
    CHECK(model->replicas.size() == static_cast<size_t>(std::max(1, 8 / threads)));
  }
  const absl::StatusOr<Model> chosen = LoadModel(DemoPackage(), {.replicas = 0, .threads = 0, .max_threads = 2});
  REQUIRE(chosen.ok());
  CHECK(chosen->replicas.size() * static_cast<size_t>(chosen->threads) == 2);
}

TEST_CASE("TheMemoryForBatchesIsTold") {
  const absl::StatusOr<Model> small = LoadModel(DemoPackage(), {.batch_tokens = 1000});
  const absl::StatusOr<Model> large = LoadModel(DemoPackage(), {.batch_tokens = 2000});
  REQUIRE((small.ok() && large.ok()));
  const size_t bytes = small->replicas[0]->Describe().batch_bytes;
  CHECK(bytes > 1000 * 128 * sizeof(float) * 10);
  CHECK(large->replicas[0]->Describe().batch_bytes > bytes * 19 / 10);
}

TEST_CASE("ADirectoryThatIsNotThereIsNotFound") {
  CHECK(LoadModel("/nonexistent/model/1", {}).status().code() == absl::StatusCode::kNotFound);
}

/// Threads of this process.
size_t CountThreads() {
  return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()));
}

/// Bytes of memory that this process has in use (proc(5), statm), without what the allocator keeps of what was freed:
/// that depends on where threads left holes.
double ResidentBytes() {
  malloc_trim(0);
  double total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

TEST_CASE("LoadingWithOneThreadStartsNoOther") {
  const std::string dir = DemoPackage();
  size_t before = 0, after = 0;
  std::thread([&] {
    before = CountThreads();
    const absl::StatusOr<Model> model = LoadModel(dir, {.replicas = 2, .threads = 1});
    if (model.ok()) after = CountThreads();
  }).join();
  CHECK(after == before);
}

// Each is loaded on a thread that ends, as a loader's may, and is freed on another.
TEST_CASE("FiftyModelsLoadedAndFreedLeaveNothingBehind", "[slow]") {
  const std::string dir = DemoPackage();
  auto load_and_free = [&] {
    absl::StatusOr<Model> model = absl::UnknownError("");
    std::thread([&] { model = LoadModel(dir, {.replicas = 2, .threads = 1}); }).join();
    REQUIRE(model.ok());
  };
  for (int i = 0; i < 10; ++i) load_and_free();  // what is allocated once for all
  const double before = ResidentBytes();
  for (int i = 0; i < 50; ++i) load_and_free();
  const double grown = (ResidentBytes() - before) / 50;
  const double weights = static_cast<double>(fs::file_size(dir + "/model.pt"));
  CAPTURE(grown, weights);
  CHECK(grown < weights / 20);
}

}  // namespace
}  // namespace bertha::models
