using Microsoft.AspNetCore.Authorization;

namespace TaskService.Http;

/// <summary>
/// Metadata of an endpoint that needs no authentication, such as a health check. It is as the framework's
/// <c>AllowAnonymous()</c>, which would load an assembly at the start.
/// </summary>
internal sealed class OpenToAll : IAllowAnonymous
{
    public static readonly OpenToAll Metadata = new();
}
