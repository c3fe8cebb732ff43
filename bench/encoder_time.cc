// The encoder alone: the same text, the same package, no server. What is left of a request's latency is overhead.
//
// Prints one JSON object: the median time of Stage + Run in microseconds, the resident memory that loading added.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "models/model.h"
#include "nlohmann/json.hpp"

namespace {

/// Resident set of this process, in bytes (proc(5), statm).
double ResidentBytes() {
  double total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

int main(int argc, char** argv) {
  std::string dir, text = "I love it, this is really good";
  int rounds = 2000, threads = 0;
  CLI::App app("Times the forward pass of one text, without a server; prints one JSON object");
  app.add_option("DIR", dir, "Package")->required();
  app.add_option("--text", text, "The text")->capture_default_str();
  app.add_option("--rounds", rounds, "Forward passes")->capture_default_str();
  app.add_option("--threads", threads, "0: as the daemon would choose")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const double before = ResidentBytes();
  auto model = bertha::models::LoadModel(dir, {.replicas = 1, .threads = threads, .max_threads = 2});
  if (!model.ok()) {
    std::cerr << model.status().message() << "\n";
    return 1;
  }
  const double after = ResidentBytes();
  bertha::tokenizer::Scratch scratch;
  bertha::tokenizer::Encoding encoding;
  auto status =
      model->tokenizer->Encode(text, std::nullopt, {.max_length = model->manifest.max_length}, scratch, encoding);
  const std::vector<int32_t> cu_seqlens = {0, static_cast<int32_t>(encoding.ids.size())};
  bertha::batcher::EncoderOutput output;
  std::vector<double> times;
  for (int i = 0; i < rounds && status.ok(); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    status = model->replicas[0]->Stage({encoding.ids, encoding.type_ids, cu_seqlens}, 0);
    if (status.ok()) status = model->replicas[0]->Run(0, output);
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
  }
  if (!status.ok()) {
    std::cerr << status.message() << "\n";
    return 1;
  }
  std::ranges::nth_element(times, times.begin() + static_cast<ptrdiff_t>(times.size() / 2));
  const nlohmann::json report = {{"tokens", encoding.ids.size()},
                                 {"threads", model->threads},
                                 {"encoder_p50_us", times[times.size() / 2]},
                                 {"weight_bytes", model->weight_bytes},
                                 {"resident_before_bytes", before},
                                 {"resident_after_bytes", after}};
  std::cout << report.dump() << "\n";
  return 0;
}
