// Damaged TorchScript files: sealed again, so that LibTorch gets to see the damage.
#include <caffe2/serialize/inline_container.h>
#include <torch/script.h>

#include "models/model.h"
#include "models/package_contents.h"
#include "tests/catch.h"
#include "tests/models/mutations.h"
#include "tests/models/support.h"

namespace bertha::models {
namespace {

namespace fs = std::filesystem;

/// A whole package whose network has weights, a submodule, a constant, a branch and a loop.
void WritePackage(const std::string& dir) {
  torch::jit::Module head("head");
  head.register_parameter("weight", torch::arange(6.0f).view({3, 2}), false);
  head.define("def forward(self, x): return torch.matmul(x, self.weight) + torch.tensor([0.5, -0.5])\n");
  torch::jit::Module module("m");
  module.register_parameter("table", torch::arange(24.0f).view({8, 3}) / 24, false);
  module.register_module("head", head);
  module.define(R"(
def forward(self, ids, mask, types):
    x = torch.embedding(self.table, ids) * mask.unsqueeze(2)
    if int(ids[0, 0]) > 1:
        x = x + 1 * mask.unsqueeze(2)
    for i in range(2):
        x = torch.tanh(x)
    return self.head.forward(x.sum(1) / mask.sum(1, True))
)");
  module.save(dir + "/model.pt");
  WriteFile(dir + "/bertha.json", GoodManifest().dump());
  WriteFile(dir + "/tokenizer.json", SmallTokenizer().dump());
  const auto probes = MakeProbes(dir, {{"a", std::nullopt}, {"b a a", std::nullopt}, {"a b", "b"}});
  REQUIRE(probes.status() == absl::OkStatus());
  WriteFile(dir + "/probes.json", *probes);
  REQUIRE(SealSums(dir) == absl::OkStatus());
}

/// Damages the content of one file inside of the archive, whose own checksums stay right. Not of a pickle: one that is
/// wrong on purpose can make LibTorch ask for any amount of memory, as can the program in the archive.
std::string DamageRecord(const std::string& path, Random& random) {
  using namespace caffe2::serialize;
  std::vector<std::pair<std::string, std::string>> records;
  {
    PyTorchStreamReader reader(path);
    for (const std::string& name : reader.getAllRecords()) {
      if (name == kSerializationIdRecordName) continue;  // the writer makes its own
      const auto [data, size] = reader.getRecord(name);
      records.emplace_back(name, std::string(static_cast<const char*>(data.get()), size));
    }
  }
  size_t chosen = random() % records.size();
  while (records[chosen].first.ends_with(".pkl")) chosen = random() % records.size();
  auto& [name, content] = records[chosen];
  switch (random() % 5) {
    case 0:
      InsertPiece(content, random);
      break;
    case 1:
      content.resize(random() % (content.size() + 1));
      break;
    case 2:
      content = records[random() % records.size()].second;
      break;
    default:
      FlipBits(content, random);
  }
  const std::string what = name;
  if (random() % 10 == 0) records.erase(records.begin() + static_cast<ptrdiff_t>(random() % records.size()));
  std::string archive;
  PyTorchStreamWriter writer([&](const void* data, size_t n) {
    archive.append(static_cast<const char*>(data), n);
    return n;
  });
  for (const auto& [record, text] : records) {
    if (record != "version" && record != ".data/version") writer.writeRecord(record, text.data(), text.size());
  }
  writer.writeEndOfFile();
  WriteFile(path, archive);
  return what;
}

TEST_CASE("DamagedModulesAreRefusedByNameOrStillAnswerTheProbes") {
  Random random(11);
  constexpr int kRounds = 200;
  TempDir outer;
  const std::string good = outer / "good", bad = outer / "bad";
  fs::create_directory(good);
  WritePackage(good);
  REQUIRE(LoadModel(good, {}).status() == absl::OkStatus());
  int refused = 0;
  for (int i = 0; i < kRounds; ++i) {
    fs::copy(good, bad);
    const std::string damage =
        i % 2 ? DamageRecord(bad + "/model.pt", random) : DamagePackage(bad, {kModuleFile, kModuleFile}, random);
    CAPTURE(i, damage);
    SealSums(bad).IgnoreError();
    const absl::Status status = LoadModel(bad, {}).status();
    if (!status.ok()) {
      ++refused;
      CheckRefusal(status, {kModuleFile});
    }
    fs::remove_all(bad);
  }
  CAPTURE(refused);
  CHECK(refused > kRounds / 2);
}

}  // namespace
}  // namespace bertha::models
