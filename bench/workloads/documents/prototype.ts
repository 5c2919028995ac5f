/**
 * What setting `__proto__` is for, where a runtime has disabled it: mammoth makes its promises so.
 * To be imported before mammoth is.
 *
 * @module
 */
const probe = {};
Reflect.set(probe, "__proto__", null);
if (Object.getPrototypeOf(probe) !== null) {
  Object.defineProperty(Object.prototype, "__proto__", {
    configurable: true,
    get(this: unknown) {
      return Object.getPrototypeOf(this);
    },
    set(this: unknown, value: object | null) {
      const settable = typeof this === "object" || typeof this === "function";
      if (settable && this !== null) Object.setPrototypeOf(this, value);
    },
  });
}
