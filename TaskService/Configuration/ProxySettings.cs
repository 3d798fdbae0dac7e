using System.Net;

namespace TaskService.Configuration;

/// <summary>The proxies in front of the service, and how they say whom they speak for.</summary>
/// <param name="Trusted">Whose word is taken; empty for nobody's.</param>
/// <param name="Standard">
/// Whether they send <c>Forwarded</c> (RFC 7239) rather than <c>X-Forwarded-For</c>. Only one of the two is heard: a
/// proxy passes the other one on as the client sent it.
/// </param>
internal sealed record ProxySettings(IReadOnlyList<IPNetwork> Trusted, bool Standard)
{
    public static ProxySettings Read(ConfigSection section) => new(
        section.Networks("trusted-proxies"),
        section.Choice("forwarded-header", false, [("x-forwarded-for", false), ("forwarded", true)]));
}
