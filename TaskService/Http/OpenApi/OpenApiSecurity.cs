using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace TaskService.Http.OpenApi;

/// <summary>Which schemes of authentication endpoints need, from their policies.</summary>
internal sealed class OpenApiSecurity(IServiceProvider services)
{
    /// <summary>Those that operations name.</summary>
    public JsonObject Schemes { get; } = [];

    /// <summary>The alternatives that an endpoint accepts; null when it is open to all.</summary>
    public async Task<JsonArray?> RequirementsOfAsync(EndpointMetadataCollection metadata)
    {
        var policies = services.GetService<IAuthorizationPolicyProvider>();
        if (policies is null || metadata.GetMetadata<IAllowAnonymous>() is not null)
        {
            return null;
        }
        var policy = await AuthorizationPolicy.CombineAsync(
            policies,
            metadata.GetOrderedMetadata<IAuthorizeData>(),
            metadata.GetOrderedMetadata<AuthorizationPolicy>()) ?? await policies.GetFallbackPolicyAsync();
        if (policy is null)
        {
            return null;
        }
        var names = policy.AuthenticationSchemes;
        if (names.Count == 0 && services.GetService<IAuthenticationSchemeProvider>() is { } all
            && await all.GetDefaultAuthenticateSchemeAsync() is { } usual)
        {
            names = [usual.Name];
        }
        var result = new JsonArray();
        foreach (var name in names)
        {
            // Names of components have fewer characters than those of schemes.
            var key = string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' ? c : '_'));
            Schemes[key] ??= await SchemeOfAsync(name);
            result.Add(new JsonObject { [key] = new JsonArray() });
        }
        return result;
    }

    private async Task<JsonObject> SchemeOfAsync(string name)
    {
        if (services.GetServices<DescribedSecurity>().FirstOrDefault(one => one.Scheme == name) is { } described)
        {
            return described.Json.DeepClone().AsObject();
        }
        var provider = services.GetService<IAuthenticationSchemeProvider>();
        var scheme = provider is null ? null : await provider.GetSchemeAsync(name);
        var handler = scheme?.HandlerType;
        if (handler is not null && typeof(CookieAuthenticationHandler).IsAssignableFrom(handler))
        {
            return Cookie(services.GetRequiredService<IOptionsMonitor<CookieAuthenticationOptions>>().Get(name));
        }
        // By name, since the handlers of both are in packages of their own.
        return Says("Bearer") ? new JsonObject { ["type"] = "http", ["scheme"] = "bearer" }
            : Says("Basic") ? new JsonObject { ["type"] = "http", ["scheme"] = "basic" }
            : new JsonObject { ["type"] = "apiKey", ["in"] = "header", ["name"] = "X-API-Key" };

        bool Says(string word) => name.Contains(word, StringComparison.OrdinalIgnoreCase)
            || handler?.Name.Contains(word, StringComparison.OrdinalIgnoreCase) == true;
    }

    private static JsonObject Cookie(CookieAuthenticationOptions options) => new()
    {
        ["type"] = "apiKey",
        ["in"] = "cookie",
        ["name"] = options.Cookie.Name ?? CookieAuthenticationDefaults.CookiePrefix,
    };
}
