namespace TaskService.Configuration;

/// <summary>
/// What the variables of ASP.NET Core say of the addresses to listen on. They become <c>service.urls</c>, for which
/// <c>service.address</c> and <c>service.port</c> are the short form.
/// </summary>
internal static class ListenConfig
{
    private const string Urls = "urls";
    private const string Address = "address";
    private const string Port = "port";

    /// <summary>
    /// Writes the variables into <paramref name="root"/>. The images of .NET set those of ports, so that these rank
    /// below the file; URLs, which a person sets, rank above.
    /// </summary>
    public static void Apply(ConfigMap root, IReadOnlyDictionary<string, string> environment, ConfigProblems problems)
    {
        if (root.Members.GetValueOrDefault("service") is ConfigMap file
            && file.Members.GetValueOrDefault(Urls) is { } urls and not ConfigList { Items.Count: 0 }
            && (file.Members.ContainsKey(Address) || file.Members.ContainsKey(Port)))
        {
            problems.Add(urls.Where, $"service.{Urls}", "must not stand beside service.address and service.port");
        }
        foreach (var prefix in new[] { "ASPNETCORE_", "" })
        {
            ApplyPorts(root, environment, prefix);
        }
        if (environment.TryGetValue("ASPNETCORE_URLS", out var given) && given.Length > 0)
        {
            Set(root, Split(given, ';'), "environment ASPNETCORE_URLS");
        }
    }

    private static void ApplyPorts(ConfigMap root, IReadOnlyDictionary<string, string> environment, string prefix)
    {
        var http = Split(environment.GetValueOrDefault($"{prefix}HTTP_PORTS", ""), ';');
        var https = Split(environment.GetValueOrDefault($"{prefix}HTTPS_PORTS", ""), ';');
        var file = root.Members.GetValueOrDefault("service") as ConfigMap;
        if (http.Length + https.Length == 0 || file?.Members.Keys.Any(key => key is Port or Urls) == true)
        {
            return;
        }
        var host = (file?.Members.GetValueOrDefault(Address) as ConfigScalar)?.Text ?? ListenAddress.AnyHost;
        // Without ports for HTTPS, a certificate makes HTTPS of them.
        bool? isHttps = https.Length > 0 ? false : null;
        Set(
            root,
            [
                .. http.Select(port => ListenAddress.Url(isHttps, host, port)),
                .. https.Select(port => ListenAddress.Url(true, host, port)),
            ],
            $"environment {prefix}{(http.Length > 0 ? "HTTP_PORTS" : "HTTPS_PORTS")}");
    }

    /// <summary>Writes URLs over all addresses that rank below.</summary>
    public static void Set(ConfigMap root, IEnumerable<string> urls, string where)
    {
        if (EnvironmentConfig.Below(root, "service", where) is { } service)
        {
            service.Members[Urls] = new ConfigList([.. urls.Select(url => new ConfigScalar(url, where))], where);
            service.Members.Remove(Address);
            service.Members.Remove(Port);
        }
    }

    /// <summary>An address that ranks above URLs replaces that of each, and a port all but the first of them.</summary>
    public static void Settle(ConfigMap root)
    {
        if (root.Members.GetValueOrDefault("service") is not ConfigMap service
            || service.Members.GetValueOrDefault(Urls) is not ConfigList { Items.Count: > 0 } urls
            || (service.Members.GetValueOrDefault(Port) ?? service.Members.GetValueOrDefault(Address)) is not { } above)
        {
            return;
        }
        var addresses = new List<ListenAddress>();
        foreach (var url in urls.Items.Select(item => (item as ConfigScalar)?.Text ?? ""))
        {
            if (!ListenAddress.TryParse(url, out var address, out _))
            {
                // It is reported where it is read.
                return;
            }
            addresses.Add(address);
        }
        var host = (service.Members.GetValueOrDefault(Address) as ConfigScalar)?.Text;
        var port = (service.Members.GetValueOrDefault(Port) as ConfigScalar)?.Text;
        var chosen = port is null ? addresses : addresses.Take(1);
        Set(
            root,
            chosen.Select(one => ListenAddress.Url(one.IsHttps, host ?? one.Host, port ?? $"{one.Port}")).Distinct(),
            above.Where);
    }

    public static string[] Split(string value, char separator) =>
        value.Split(separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
