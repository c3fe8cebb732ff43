#include "server/cost_cache.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "models/checksums.h"

namespace bertha::server {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSumDigits = 16;  // of a SHA-256 sum: enough to tell packages apart

/// The beginning of the sum of the package's module.
std::string SumOf(const std::string& dir) {
  std::ifstream sums(dir + "/" + models::kSumsFile);
  for (std::string sum, name; sums >> sum >> name;) {
    if (name.ends_with("model.pt")) return sum.substr(0, kSumDigits);
  }
  return "unknown";
}

std::string Processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return "unknown";
}

std::string AsFileName(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return !std::isalnum(c) && c != '-' && c != '.'; }, '_');
  return text;
}

}  // namespace

std::string CostCache::FileOf(const std::string& dir, const batcher::EncoderDescription& encoder, int threads) const {
  if (directory_.empty()) return "";
  return absl::StrCat(directory_, "/",
                      AsFileName(absl::StrCat(SumOf(dir), "-", encoder.engine, "-", encoder.dtype, "-", encoder.device,
                                              "-", Processor(), "-", threads, "-threads")),
                      ".costs");
}

batcher::CostTable CostCache::Load(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) return {};
  std::stringstream text;
  text << stream.rdbuf();
  absl::StatusOr<batcher::CostTable> costs = batcher::CostTable::Load(text.str());
  if (costs.ok()) return *std::move(costs);
  spdlog::warn("{}: {}; measured again", file, std::string(costs.status().message()));
  return {};
}

void CostCache::Save(const batcher::CostTable& costs, const std::string& file) {
  if (file.empty() || !costs.known()) return;
  std::error_code error;
  fs::create_directories(fs::path(file).parent_path(), error);
  const std::string unfinished = file + ".new";
  if (std::ofstream stream(unfinished); !(stream << costs.Save() << std::flush)) {
    spdlog::debug("{}: cannot be written; what was learnt of the model's speed is not kept", file);
    return;
  }
  fs::rename(unfinished, file, error);
}

void MeasureShortRuns(batcher::Encoder& encoder, batcher::CostTable& costs) {
  batcher::EncoderOutput output;
  for (const size_t wanted : {8, 64}) {
    const size_t tokens = std::min<size_t>(wanted, encoder.Describe().max_sequence_length);
    const std::vector<int32_t> ids(tokens), offsets = {0, static_cast<int32_t>(tokens)};
    const auto begin = std::chrono::steady_clock::now();
    if (!encoder.Stage({ids, ids, offsets}, 0).ok() || !encoder.Run(0, output).ok()) return;
    costs.Record(tokens, tokens, std::chrono::steady_clock::now() - begin);
  }
}

}  // namespace bertha::server
