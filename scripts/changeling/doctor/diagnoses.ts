import { type Fleet, kinds } from "../../../components/kinds.ts";
import { messageOf } from "../../../components/lib/as-error.ts";
import { type Check, failed } from "../../../components/stack/check.ts";
import type {
  DeclaredPart,
  Diagnosis,
  Examination,
  InspectedStack,
  Inspection,
} from "../../../components/stack/inspection.ts";

/** The stack's fleet file, as far as it can be read. */
export interface Declared {
  readonly checks: readonly Check[];
  /** Undefined if the file has errors, or is not here. */
  readonly fleet: Fleet | undefined;
  /** Neither the stack's settings nor its fleet file are on this machine, so it may be declared elsewhere. */
  readonly isAbsent: boolean;
}

/** A kind's checks while they are under way. */
export interface KindDiagnosis {
  /** What is being checked, in words; undefined for what counts as this machine. */
  readonly what: string | undefined;
  readonly end: Promise<Diagnosis>;
}

/** Starts the checks of all kinds. */
export async function startDiagnoses(
  stack: InspectedStack,
  { declared, ...rest }: Omit<Examination, "declared"> & { readonly declared: Promise<Declared> },
): Promise<KindDiagnosis[]> {
  const started = Object.entries(kinds).map(async ([name, kind]): Promise<KindDiagnosis[]> => {
    const inspection: Inspection = await kind.inspection();
    if (inspection.diagnose === undefined) return [];
    const part = declared.then((each) => declaredPart(each, name));
    const end = inspection.diagnose(stack, { ...rest, declared: part }).catch((error: unknown) => ({
      deployed: [failed(`kind ${name}`, messageOf(error))],
    }));
    return [{ what: inspection.checked, end }];
  });
  return (await Promise.all(started)).flat();
}

function declaredPart({ fleet, isAbsent }: Declared, name: string): DeclaredPart {
  const settings: Readonly<Record<string, object | undefined>> = fleet?.settings ?? {};
  return {
    changelings: fleet?.changelings.filter(({ kind }) => kind === name) ?? [],
    settings: fleet === undefined ? undefined : (settings[name] ?? {}),
    mngrProfile: fleet?.mngrProfile,
    isAbsent,
  };
}
