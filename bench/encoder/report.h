// What was measured, as a table for people and as JSON for programs (docs/encoder.md explains both).
#ifndef BERTHA_BENCH_ENCODER_REPORT_H_
#define BERTHA_BENCH_ENCODER_REPORT_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/encoder/engines.h"
#include "bench/encoder/measure.h"

namespace bertha::bench {

/// Keeps the order of keys, and prints a float with the digits of a float (0.9, not 0.8999999761581421).
using Json = nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, int64_t, uint64_t, float>;

/// With one busy thread beside it, an engine's slow passes may take so many times the median of quiet ones.
inline constexpr double kNeighbourLimit = 3;

struct Report {
  std::string package;
  Plan plan;
  std::vector<ShapeResult> shapes;
};

std::string ReportTable(const Report& report, const std::vector<Engine>& engines);
Json ReportJson(const Report& report, const std::vector<Engine>& engines);

/// What an engine is: name, numeric type, device, threads, instruction set, memory.
Json EngineJson(const Engine& engine);

/// One line, its end included. What is not UTF-8 becomes U+FFFD.
std::string JsonLine(const Json& json);

/// "AMD EPYC (avx2 avx512_bf16 avx512_vnni)": the model and what of its instructions matters here.
std::string Processor();

}  // namespace bertha::bench

#endif  // BERTHA_BENCH_ENCODER_REPORT_H_
