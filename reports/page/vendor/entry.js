export {plot, dot, line, ruleX, ruleY, barX, tip, pointer} from "@observablehq/plot";
