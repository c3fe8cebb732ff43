// Requests for the same thing: same model, same tokens, same priority. One of them, the leader, waits and runs; the
// others, its twins, are chained to it and get its answer.
//
// Thread-safety: thread-compatible.
#ifndef BERTHA_BATCHER_TWINS_H_
#define BERTHA_BATCHER_TWINS_H_

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "batcher/request.h"

namespace bertha::batcher {

class Twins {
 public:
  /// Computes the hash of a request's model, priority and tokens. Done when it is looked for, where it was not done
  /// before, without a lock.
  static void Prepare(Request& request);

  /// The leader of requests that ask the same as `request`; null if there is none.
  Request* Find(Request& request) const;

  /// The same; if there is none, `request` is the leader from now on, unless another one has its hash.
  Request* FindOrLead(Request& request);

  /// Makes `request` a twin of `leader`.
  static void Join(Request& request, Request& leader);

  /// Takes a twin off its chain.
  static void Leave(Request& twin);

  /// Makes `next` the leader in place of `leader`, whose twins it gets; `next` may be one of them. `leader` then has
  /// none, and no leader.
  void Replace(Request& leader, Request& next);

  /// From now on nobody joins `leader`; its twins stay with it.
  void Close(Request& leader);

 private:
  absl::flat_hash_map<uint64_t, Request*> leaders_;  // by hash of model, priority and tokens
};

}  // namespace bertha::batcher

#endif  // BERTHA_BATCHER_TWINS_H_
