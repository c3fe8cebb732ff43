// bench_ceilings: what this machine can do at most, so that every other figure can be read as a fraction of it.
//
//   bench_ceilings [--json] [--seconds S]
//
// Matrix products, by numeric type (gemm_ceiling.h: the faster of our kernels and oneDNN), and memory bandwidth
// (bandwidth.h), each with one thread and with one for each core. An encoder cannot take less than the larger of its
// operations by the one and its weights by the other.
#include <sched.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/encoder/timing.h"
#include "bench/micro/bandwidth.h"
#include "bench/micro/gemm_ceiling.h"
#include "models/kernels/cpu/instruction_set.h"
#include "nlohmann/json.hpp"

namespace bertha::bench {
namespace {

using Json = nlohmann::ordered_json;

int Cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

std::string Processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

/// What one core can use of the largest cache; sysconf() tells that of the whole socket.
size_t LastCacheBytes() {
  size_t largest = 1 << 20;
  for (int index = 0; index < 5; ++index) {
    std::ifstream file(absl::StrCat("/sys/devices/system/cpu/cpu0/cache/index", index, "/size"));
    size_t kilobytes = 0;  // "32768K"
    if (file >> kilobytes) largest = std::max(largest, kilobytes << 10);
  }
  return largest;
}

/// GFLOP/s (of integers GOP/s) of the fastest that there is; best of the passes.
double BestGemm(const std::string& dtype, int threads, double seconds) {
  double best = 0;
  for (GemmCeiling& ceiling : MakeGemmCeilings(dtype, threads)) {
    const std::vector<double> times = TimeCalls(ceiling.run, seconds);
    best = std::max(best, ceiling.operations / *std::ranges::min_element(times) / 1e6);
  }
  return best;
}

Json Measure(double seconds) {
  const size_t cache = LastCacheBytes();
  Json report = {{"processor", Processor()},
                 {"instructions", models::InstructionSetName()},
                 {"cores", Cores()},
                 {"last_cache_mb", static_cast<double>(cache) / 1e6},
                 {"threads", Json::array()}};
  std::vector<int> counts = {1};
  if (Cores() > 1) counts.push_back(Cores());
  for (const int threads : counts) {
    Json row = {{"threads", threads}, {"gflops", Json::object()}};
    for (const char* dtype : {"fp32", "bf16", "int8"}) row["gflops"][dtype] = BestGemm(dtype, threads, seconds);
    // Far beyond what any cache holds, and within the memory of small machines.
    const Bandwidth memory =
        MeasureBandwidth(std::clamp<size_t>(8 * cache, size_t{256} << 20, size_t{1} << 30), threads, seconds);
    row["read_gb_per_s"] = memory.read;
    row["copy_gb_per_s"] = memory.copy;
    report["threads"].push_back(row);
  }
  return report;
}

void Print(const Json& report) {
  std::printf("%s, %d cores, %s, last cache %.0f MB\n", report["processor"].get<std::string>().c_str(),
              report["cores"].get<int>(), report["instructions"].get<std::string>().c_str(),
              report["last_cache_mb"].get<double>());
  std::printf("%8s %18s %18s %16s %12s %12s\n", "threads", "fp32 GFLOP/s", "bf16 GFLOP/s", "int8 GOP/s", "read GB/s",
              "copy GB/s");
  for (const Json& row : report["threads"]) {
    std::printf("%8d %18.0f %18.0f %16.0f %12.1f %12.1f\n", row["threads"].get<int>(),
                row["gflops"]["fp32"].get<double>(), row["gflops"]["bf16"].get<double>(),
                row["gflops"]["int8"].get<double>(), row["read_gb_per_s"].get<double>(),
                row["copy_gb_per_s"].get<double>());
  }
}

}  // namespace
}  // namespace bertha::bench

int main(int argc, char** argv) {
  bool json = false;
  double seconds = 1;
  CLI::App app("What this machine can do at most: matrix products by numeric type, and memory bandwidth");
  app.add_flag("--json", json, "One JSON object");
  app.add_option("--seconds", seconds, "For each figure")->check(CLI::PositiveNumber)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const auto report = bertha::bench::Measure(seconds);
  if (json) {
    std::cout << report.dump() << "\n";
  } else {
    bertha::bench::Print(report);
  }
  return 0;
}
