using System.Security.Claims;
using Microsoft.AspNetCore.Http.Features.Authentication;

namespace TaskService.Http;

/// <summary>Who has sent a request, by whatever scheme has authenticated it.</summary>
internal static class RequestUser
{
    private const int CharactersMax = 128;

    /// <summary>What identifies the user, bounded: the subject, else the name. Null for strangers.</summary>
    public static string? Of(HttpContext http)
    {
        // The context would make a user where there is none.
        if (http.Features.Get<IHttpAuthenticationFeature>()?.User is not { Identity.IsAuthenticated: true } user)
        {
            return null;
        }
        var name = user.FindFirst("sub")?.Value ?? user.FindFirst(ClaimTypes.NameIdentifier)?.Value
            ?? user.Identity.Name;
        return name is { Length: > CharactersMax } ? name[..CharactersMax] : name;
    }
}
