// What stands behind a listener, whichever transport it speaks. All of it outlives the listener.
#ifndef BERTHA_SERVER_LISTENER_PARTS_H_
#define BERTHA_SERVER_LISTENER_PARTS_H_

#include "batcher/clock.h"
#include "server/access.h"
#include "server/call_observer.h"
#include "server/gate.h"
#include "server/health_board.h"
#include "server/inference.h"
#include "server/model_table.h"
#include "server/model_watcher.h"

namespace bertha::server {

/// For callers: GrpcServer, HttpFront.
struct PublicParts {
  Gate& gate;
  CallObserver& observer;
  const Inference& inference;
  const ModelTable& models;
  const HealthBoard& health;
};

/// For operators: AdminServer, HttpAdmin.
struct AdminParts {
  /// May be null, see Gate.
  Access* access;
  const ModelTable& models;
  ModelWatcher& watcher;
  const batcher::Clock& clock;
  CallObserver& observer;
};

}  // namespace bertha::server

#endif  // BERTHA_SERVER_LISTENER_PARTS_H_
