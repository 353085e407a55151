import { homeVolumeName } from "../../components/modal/names.ts";
import type { Modal } from "../../components/modal/types.ts";
import { webDrift } from "../../components/web/agent/drift.ts";
import { dockerMachines } from "../../components/web/docker/docker-machines.ts";
import { dockerRecords } from "../../components/web/docker/machine-web.ts";
import { localHost } from "../../components/web/local/local-host.ts";
import { machineHost } from "../../components/web/machine/machine-host.ts";
import type { MachineWeb } from "../../components/web/machine/machine-web.ts";
import { modalMachines } from "../../components/web/modal/modal-machines.ts";
import { modalRecords } from "../../components/web/modal/modal-records.ts";
import { dockerOf } from "../support/web-lab/docker-world.ts";
import type { WebLab, WebLabOptions } from "../support/web-lab/life-cycle-lab.ts";
import { modalOf } from "../support/web-lab/modal-world.ts";
import { describeWebMachines } from "./web-machines.ts";

describeWebMachines("local", ({ world, installation, paths, log }) => {
  const mngr = world.local();
  return {
    host: localHost(undefined, { installation, paths, log, env: world.env, mngr: () => mngr }),
    drift: async (record) => webDrift(record, (await mngr.list()).agents),
    folder: (place) => place,
  };
});

type OfProvider = Pick<MachineWeb, "provider" | "labels" | "records" | "machines">;

function machineLab({ world, installation, paths, log }: WebLabOptions, of: OfProvider): WebLab {
  const mngr = world.onMachines(of.provider);
  return {
    host: machineHost({ ...{ installation, paths, log, env: world.env, mngr, where: "there" }, ...of }),
    async drift(record) {
      const running = new Set(world.hosts.flatMap(({ id, state }) => (state === "RUNNING" ? [id] : [])));
      return webDrift(record, await mngr.agents(), { word: "machine", running });
    },
    folder: (place) => world.volumeFolder(place),
  };
}

describeWebMachines("docker", (options) => {
  const { world, installation, paths } = options;
  return machineLab(options, {
    provider: "docker",
    labels: { changelings_installation: installation },
    records: dockerRecords(installation, paths),
    machines: dockerMachines(dockerOf(world), { mngr: world.onMachines("docker"), installation }),
  });
});

describeWebMachines("modal", (options) => {
  const { world, paths, log } = options;
  const at = { client: modalOf(world) as unknown as Modal, stack: "dev", environment: "main" };
  world.createVolume(homeVolumeName("dev"));
  return machineLab(options, {
    provider: "modal",
    labels: { changelings_stack: "dev" },
    records: modalRecords(at, { paths }, "/nowhere/mngr"),
    machines: modalMachines(at, { mngr: world.onMachines("modal"), log }),
  });
});
