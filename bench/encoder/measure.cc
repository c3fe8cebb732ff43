#include "bench/encoder/measure.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/encoder/busy_neighbour.h"
#include "bench/micro/gemm_ceiling.h"

namespace bertha::bench {
namespace {

/// What one engine did with one shape, round by round.
struct Turns {
  std::vector<PassTime> quiet;
  std::vector<double> busy;
  std::vector<double> medians;
};

struct CeilingTurns {
  std::string dtype;
  int threads = 0;
  GemmCeiling ceiling;
  std::vector<double> times;
};

std::vector<CeilingTurns> MakeCeilings(const std::vector<Engine>& engines) {
  std::vector<CeilingTurns> ceilings;
  for (const Engine& engine : engines) {
    const EngineChoice& choice = engine.choice;
    const auto same = [&](const CeilingTurns& c) { return c.dtype == choice.dtype && c.threads == choice.threads; };
    if (choice.device != "cpu" || std::ranges::any_of(ceilings, same)) continue;
    for (GemmCeiling& ceiling : MakeGemmCeilings(choice.dtype, choice.threads)) {
      ceilings.push_back({choice.dtype, choice.threads, std::move(ceiling), {}});
    }
  }
  return ceilings;
}

absl::Status TakeTurn(const Engine& engine, const Batch& batch, double seconds, int neighbours, Turns& turns) {
  absl::StatusOr<std::vector<PassTime>> passes = TimePasses(*engine.encoder, batch, seconds);
  if (!passes.ok()) return passes.status();
  turns.medians.push_back(Median(Totals(*passes)));
  turns.quiet.insert(turns.quiet.end(), passes->begin(), passes->end());
  if (neighbours == 0) return absl::OkStatus();
  const BusyNeighbour neighbour(neighbours);
  passes = TimePasses(*engine.encoder, batch, seconds);
  if (!passes.ok()) return passes.status();
  const std::vector<double> totals = Totals(*passes);
  turns.busy.insert(turns.busy.end(), totals.begin(), totals.end());
  return absl::OkStatus();
}

/// Medians over some passes.
absl::Status MeasureSteps(batcher::Encoder& encoder, const Batch& batch, EngineResult& result) {
  constexpr int kPasses = 5;
  std::vector<batcher::StepTime> before = encoder.StepTimes();
  std::vector<std::vector<double>> times(before.size());
  for (int pass = 0; pass < kPasses && !before.empty(); ++pass) {
    if (absl::Status status = TimePass(encoder, batch).status(); !status.ok()) return status;
    std::vector<batcher::StepTime> after = encoder.StepTimes();
    for (size_t step = 0; step < after.size(); ++step) {
      times[step].push_back(std::chrono::duration<double, std::milli>(after[step].time - before[step].time).count());
    }
    before = std::move(after);
  }
  for (size_t step = 0; step < before.size(); ++step) result.steps.emplace_back(before[step].step, Median(times[step]));
  return absl::OkStatus();
}

EngineResult ResultOf(const Engine& engine, const Shape& shape, const Turns& turns, const Turns& first) {
  EngineResult result;
  std::vector<double> stage, run, speedup;
  for (const PassTime& pass : turns.quiet) {
    stage.push_back(pass.stage);
    run.push_back(pass.run);
  }
  for (size_t round = 0; round < turns.medians.size(); ++round) {
    speedup.push_back(first.medians[round] / turns.medians[round]);
  }
  result.passes = Summarize(Totals(turns.quiet));
  result.stage = Summarize(std::move(stage));
  result.run = Summarize(std::move(run));
  result.speedup = Summarize(std::move(speedup));
  if (!turns.busy.empty()) result.busy = Summarize(turns.busy);
  if (engine.architecture) result.operations = Operations(*engine.architecture, shape.lengths);
  return result;
}

absl::Status CheckLengths(const Engine& engine, const Shape& shape) {
  const size_t most = engine.encoder->Describe().max_sequence_length;
  if (static_cast<size_t>(shape.longest()) <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(shape.name, ": ", shape.longest(), " tokens, the model takes at most ", most));
}

/// Names the engine that failed.
absl::Status Blame(const Engine& engine, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(NameOf(engine.choice), ": ", status.message()));
}

}  // namespace

std::optional<double> EngineResult::gflops() const {
  if (!operations) return std::nullopt;
  return *operations / passes.median / 1e6;
}

const CeilingResult* ShapeResult::CeilingOf(const EngineChoice& choice) const {
  const CeilingResult* best = nullptr;
  for (const CeilingResult& c : ceilings) {
    if (c.dtype != choice.dtype || c.threads != choice.threads) continue;
    if (best == nullptr || c.gflops() > best->gflops()) best = &c;
  }
  return best;
}

absl::Status WarmUp(Engine& engine, const std::vector<Shape>& shapes) {
  const double before = ResidentBytes();
  for (const Shape& shape : shapes) {
    if (absl::Status status = CheckLengths(engine, shape); !status.ok()) return status;
  }
  for (size_t i = 0; i <= shapes.size() && !shapes.empty(); ++i) {  // the first one twice
    const Batch batch = MakeBatch(shapes[i % shapes.size()].lengths, engine.tokenizer->vocab_size(), engine.manifest);
    if (absl::Status status = TimePass(*engine.encoder, batch).status(); !status.ok()) return Blame(engine, status);
  }
  engine.resident_bytes += ResidentBytes() - before;
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ShapeResult>> Measure(const std::vector<Engine>& engines, const Plan& plan,
                                                 const std::function<void(const std::string&)>& progress) {
  std::vector<ShapeResult> results;
  std::vector<CeilingTurns> ceilings = MakeCeilings(engines);
  for (const Shape& shape : plan.shapes) {
    std::vector<Batch> batches;
    for (const Engine& engine : engines) {
      batches.push_back(MakeBatch(shape.lengths, engine.tokenizer->vocab_size(), engine.manifest));
    }
    std::vector<Turns> turns(engines.size());
    for (CeilingTurns& ceiling : ceilings) ceiling.times.clear();
    for (int round = 1; round <= plan.rounds; ++round) {
      progress(absl::StrCat(shape.name, ", round ", round, " of ", plan.rounds));
      for (CeilingTurns& ceiling : ceilings) {
        const std::vector<double> times = TimeCalls(ceiling.ceiling.run, kCeilingTurn);
        ceiling.times.insert(ceiling.times.end(), times.begin(), times.end());
      }
      for (size_t i = 0; i < engines.size(); ++i) {
        const absl::Status status =
            TakeTurn(engines[i], batches[i], plan.seconds / plan.rounds, plan.neighbours, turns[i]);
        if (!status.ok()) return Blame(engines[i], status);
      }
    }
    ShapeResult& result = results.emplace_back();
    result.shape = shape;
    for (const CeilingTurns& c : ceilings) {
      result.ceilings.push_back({c.dtype, c.ceiling.by, c.threads, c.ceiling.operations, Summarize(c.times)});
    }
    for (size_t i = 0; i < engines.size(); ++i) {
      result.engines.push_back(ResultOf(engines[i], shape, turns[i], turns[0]));
      const absl::Status status = MeasureSteps(*engines[i].encoder, batches[i], result.engines.back());
      if (!status.ok()) return Blame(engines[i], status);
    }
  }
  return results;
}

}  // namespace bertha::bench
